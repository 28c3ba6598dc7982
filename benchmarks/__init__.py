"""Measurements. Each prints JSON whose ratios were taken in one run; a time by itself means nothing."""

import os

# As vibe.settings has it, which comes too late for a measurement that imports numpy first: its second thread would burn
# a core while nothing is computed.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
