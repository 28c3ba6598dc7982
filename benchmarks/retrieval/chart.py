"""Recall of each way of searching, a group of marks for each set, with the intervals: further up is better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers.chart import INK, OTHERS, OURS, PAPER

COMPARED = "recall@10"
OUR_NAME = "Vibe, sealed"


def draw(sets: dict[str, dict[str, Any]], path: Path) -> None:
    """Write the chart as PNG: the mark at the mean, a line over its 95 % interval."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    ways = {name: {OUR_NAME: each["turns"], **each["beside"]} for name, each in sets.items()}
    names = list(dict.fromkeys(way for each in ways.values() for way in each))
    looks = dict(zip(names, [("*", OURS), *OTHERS.items()], strict=False))
    figure, axes = pyplot.subplots(figsize=(2.2 + 1.7 * len(sets), 4.4), dpi=130, facecolor=PAPER)
    for way, (marker, colour) in looks.items():
        shown = [(at, each[way]) for at, each in enumerate(ways.values()) if way in each]
        places = [at + 0.13 * (names.index(way) - (len(names) - 1) / 2) for at, _ in shown]
        means = [each[COMPARED] for _, each in shown]
        for place, (_, each) in zip(places, shown, strict=True):
            axes.plot([place, place], each["interval"], color=colour, linewidth=1.2, alpha=0.6)
        axes.scatter(
            places,
            means,
            s=140 if way == OUR_NAME else 42,
            marker=marker,
            color=colour,
            zorder=3,
            label=way.replace("_", " "),
        )
    axes.set_xticks(
        range(len(sets)), [f"{name}\n{each['turns']['questions']} questions" for name, each in sets.items()]
    )
    axes.set(ylim=(0, 1), ylabel="recall of the evidence among the first ten")
    axes.tick_params(colors=INK)
    axes.grid(axis="y", alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="lower center", ncols=len(names), frameon=False, fontsize=8, labelcolor=INK)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(path, facecolor=PAPER)
    pyplot.close(figure)
