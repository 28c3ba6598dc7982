"""Recall against latency, one mark a store and size of set: up and to the left is better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

OURS, GREY, INK, PAPER = "#6d28d9", "#64748b", "#1f2937", "#ffffff"
OTHERS = {"o": "#dc2626", "s": "#d97706", "^": "#0284c7", "D": "#059669", "v": "#92400e", "P": GREY}
"""Marker and colour: told apart without colours, too."""


def draw(result: dict[str, Any], path: Path) -> None:
    """Write the chart as PNG, on paper of its own, so that it reads the same on a light page and a dark one."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 5.2), dpi=150, facecolor=PAPER)
    sizes = [each["size"] for each in next(iter(result["stores"].values()))["buckets"]]
    looks = iter(OTHERS.items())
    for name, of in result["stores"].items():
        ours = name.startswith("Vibe")
        marker, colour = ("*", OURS) if ours else next(looks)
        times = [each["p50_ms"] for each in of["buckets"]]
        recalls = [each["recall"] for each in of["buckets"]]
        hollow = name == "Vibe, the statement alone"
        axes.plot(times, recalls, color=colour, linewidth=1, alpha=0.35, zorder=2)
        axes.scatter(
            times,
            recalls,
            s=[(60 if ours else 22) + (22 if ours else 16) * at for at in range(len(times))],
            marker=marker,
            facecolor=PAPER if hollow else colour,
            edgecolor=colour,
            linewidth=1.2,
            label=name,
            alpha=0.9,
            zorder=4 if ours else 3,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(-0.04, 1.06)
    axes.set_xlabel("milliseconds a search, median (log)", color=INK)
    axes.set_ylabel("recall of the ten likest", color=INK)
    axes.set_title(
        f"Searching one person's memories among {result['rows']:,} of {result['people']} people\n",
        color=INK,
        fontsize=12,
    )
    axes.text(
        0.5, 1.015, f"larger marks are larger sets: {', '.join(sizes)}", transform=axes.transAxes, ha="center",
        fontsize=8.5, color=GREY,
    )  # fmt: skip
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9, labelcolor=INK)
    for handle in legend.legend_handles:
        handle.set_sizes([70])
    figure.text(0.99, 0.012, f"{result['date']}; {result['machine']}", ha="right", fontsize=7, color=GREY)
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    figure.savefig(path, facecolor=PAPER)
    pyplot.close(figure)
