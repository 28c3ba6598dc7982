"""Recall against latency, one mark a store and size: up and to the left is better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COLOURS = ("#9b5de5", "#f15b50", "#f4a259", "#3d87c9", "#2aa198", "#8d6e63", "#6b7280")


def draw(result: dict[str, Any], path: Path) -> None:
    """Write the chart as PNG."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5), dpi=120)
    stores = {name: of for name, of in result["stores"].items() if "recall" in of["buckets"][0]}
    for (name, of), colour in zip(stores.items(), COLOURS, strict=False):
        times = [each["p95_ms"] for each in of["buckets"]]
        recalls = [each["recall"] for each in of["buckets"]]
        ours = name == "Vibe"
        areas = [30 + 26 * at for at in range(len(times))]
        axes.scatter(times, recalls, s=areas, color=colour, label=name, alpha=0.85, zorder=3 if ours else 2,
                     edgecolor="black" if ours else "none")  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(-0.05, 1.05)
    axes.set_xlabel("milliseconds at the 95th percentile (log)")
    axes.set_ylabel("recall of the ten likest")
    axes.set_title(f"A person's own memories among {result['rows']:,}: larger marks are larger sets", fontsize=11)
    axes.grid(alpha=0.25)
    legend = axes.legend(loc="lower left", frameon=False, fontsize=9)
    for handle in legend.legend_handles:
        handle.set_sizes([60])
    figure.text(0.99, 0.01, f"{result['date']}, {result['machine']}", ha="right", fontsize=7, color="#666666")
    figure.tight_layout()
    figure.savefig(path)
