"""A reliability diagram: on the diagonal, what has a probability of a half answers half the time."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.chart import GREY, INK, OTHERS, PAPER

LEAST = 10
Table = list[tuple[float, float, int]]


def draw(sets: dict[str, Table], path: Path) -> None:
    """Write the diagram as PNG, a line for each set, a mark the larger the more results it stands for: ten at least."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.6, 5.2), dpi=130, facecolor=PAPER)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    for (name, table), (marker, colour) in zip(sets.items(), OTHERS.items(), strict=False):
        said, was, many = zip(*(each for each in table if each[-1] >= LEAST), strict=True)
        axes.plot(said, was, color=colour, linewidth=1, alpha=0.6)
        axes.scatter(said, was, s=[10 + 12 * each**0.35 for each in many], marker=marker, color=colour, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="score", ylabel="share of results that are evidence")
    axes.tick_params(colors=INK)
    axes.legend(frameon=False, fontsize=9)
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
