"""How well search finds, on the real path, beside simple ways over the same data."""
