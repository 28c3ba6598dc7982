"""The tables, for people."""

from __future__ import annotations

from typing import Any, TextIO


def print_tables(result: dict[str, Any], out: TextIO) -> None:
    """Markdown, as docs/comparison.md shows it."""
    stores = result["stores"]
    sizes = [each["size"] for each in next(iter(stores.values()))["buckets"]]
    print(f"{result['rows']:,} rows of {result['people']} people, {result['date']}, {result['machine']}\n", file=out)
    print("Recall of the ten likest / p95 in milliseconds, by the size of the person's own set:\n", file=out)
    table(out, ["", *sizes], [[name, *(cell(each) for each in of["buckets"])] for name, of in stores.items()])
    print("\nAnswers shorter than they had to be, in percent:\n", file=out)
    table(
        out,
        ["", *sizes],
        [
            [name, *(f"{each['short']:.0%}" for each in of["buckets"])]
            for name, of in stores.items()
            if "short" in of["buckets"][0]
        ],
    )
    print("\nRows a second, in bulk and one by one:\n", file=out)
    columns = (
        "bulk_rows_per_second",
        "single_rows_per_second",
        "bulk_told_rows_per_second",
        "single_told_rows_per_second",
    )
    table(
        out,
        ["", "bulk", "one by one", "bulk, told", "one by one, told"],
        [
            [name, *(f"{of[each]:,.0f}" if each in of else "" for each in columns)]
            for name, of in stores.items()
            if columns[0] in of
        ],
    )
    print("\nTexts of 500 bytes a second, and what one takes:\n", file=out)
    table(
        out,
        ["", "sealed", "opened", "bytes"],
        [
            [name, f"{of['seal_per_second']:,.0f}", f"{of['open_per_second']:,.0f}", of["stored_bytes"]]
            for name, of in result["sealing"].items()
        ],
    )
    print("\nChanging a row with audit and without, milliseconds:\n", file=out)
    table(
        out,
        ["", "with", "without", "ratio"],
        [
            [name, f"{of['ms_with']:.2f}", f"{of['ms_without']:.2f}", f"{of['ratio']:.2f}"]
            for name, of in result["audit"].items()
        ],
    )


def cell(bucket: dict[str, Any]) -> str:
    """Recall and time."""
    recall = f"{bucket['recall']:.2f} / " if "recall" in bucket else ""
    return f"{recall}{bucket['p95_ms']:.1f}"


def table(out: TextIO, head: list[str], rows: list[list[Any]]) -> None:
    """In Markdown."""
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(map(str, row))} |", file=out)
