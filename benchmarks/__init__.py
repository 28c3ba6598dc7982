"""Measurements. Each prints JSON whose ratios were taken in one run; a time by itself means nothing."""

import os

# As vibe.settings does, and here too: benchmarks import numpy before them, and then it has its threads already.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
