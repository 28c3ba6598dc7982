"""Recall against latency, a panel for each size of set, a mark for each store: up and to the left is better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

OURS, GREY, INK, PAPER = "#6d28d9", "#64748b", "#1f2937", "#ffffff"
OTHERS = {"o": "#dc2626", "s": "#d97706", "^": "#0284c7", "D": "#059669", "v": "#92400e", "P": GREY, "X": "#be185d"}
"""Marker and colour: told apart without colours, too."""


def draw(result: dict[str, Any], path: Path) -> None:
    """Write the chart as PNG, on paper of its own, so that it reads the same on a light page and a dark one."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    sizes = [each["size"] for each in next(iter(result["stores"].values()))["buckets"]]
    figure, panels = pyplot.subplots(
        -(-len(sizes) // 3), 3, figsize=(10, 5.6), dpi=130, sharex=True, sharey=True, squeeze=False, facecolor=PAPER
    )
    for at, (axes, size) in enumerate(zip(panels.flat, sizes, strict=False)):
        looks = iter(OTHERS.items())
        for name, of in result["stores"].items():
            ours = name.startswith("Vibe")
            marker, colour = ("*", OURS) if ours else next(looks)
            times, recall = [of["buckets"][at][cut] for cut in ("p50_ms", "p95_ms")], of["buckets"][at]["recall"]
            axes.plot(times, [recall, recall], color=colour, linewidth=1, alpha=0.6, zorder=2)
            axes.scatter(
                times[:1],
                [recall],
                s=150 if ours else 50,
                marker=marker,
                facecolor=PAPER if ours and "alone" in name else colour,
                edgecolor=colour,
                linewidth=1.2,
                label=name,
                zorder=4 if ours else 3,
            )
        axes.set_title(f"{size} of one's own", color=INK, fontsize=10)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_ylim(-0.05, 1.1)
        axes.grid(alpha=0.2)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"Searching one person's memories among {result['rows']:,} of {result['people']} people", color=INK)
    figure.supxlabel(
        "milliseconds a search: mark at the median, line to the 95th percentile (log)", y=0.125, fontsize=9, color=INK
    )
    figure.supylabel("recall of the ten nearest", fontsize=9, color=INK)
    handles, names = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", bbox_to_anchor=(0.5, 0.03), ncols=5, frameon=False,
                  fontsize=8, columnspacing=1.2, labelcolor=INK)  # fmt: skip
    figure.text(0.99, 0.008, f"{result['date']}; {result['machine']}", ha="right", fontsize=7, color=GREY)
    figure.tight_layout(rect=(0, 0.12, 1, 1))
    figure.savefig(path, facecolor=PAPER)
    pyplot.close(figure)
