"""Measurements. Each prints JSON whose ratios were taken in one run; a time by itself means nothing."""
