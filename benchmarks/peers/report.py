"""The tables, for people."""

from __future__ import annotations

from typing import Any, TextIO

COLUMNS = {
    "bulk": "bulk_rows_per_second",
    "one by one": "single_rows_per_second",
    "bulk, told": "bulk_told_rows_per_second",
    "one by one, told": "single_told_rows_per_second",
}


def print_tables(result: dict[str, Any], out: TextIO) -> None:
    """Markdown, as docs/comparison.md shows it."""
    stores, whole = result["stores"], result["whole"]
    sizes = [each["size"] for each in next(iter(stores.values()))["buckets"]]
    print(f"{result['rows']:,} rows of {result['people']} people, {result['date']}, {result['machine']}", file=out)
    print(f"Vectors {result['vectors']}.", file=out)
    print("\nRecall of the ten nearest: p50 / p95 in milliseconds, by the size of the person's own set:\n", file=out)
    table(out, ["", *sizes], [[name, *(cell(each) for each in of["buckets"])] for name, of in stores.items()])
    print("\nAnswers shorter than they had to be:\n", file=out)
    rows = [[name, *(f"{each['short']:.0%}" for each in of["buckets"])] for name, of in stores.items()]
    table(out, ["", *sizes], rows)
    print("\nBy words and vectors together, p50 / p95 in milliseconds:\n", file=out)
    table(out, ["", *sizes], [[name, *(cell(each) for each in buckets)] for name, buckets in whole.items()])
    print("\nTimes as long as pgvector by hand, p50 / p95:\n", file=out)
    rows = [
        [name, *(f"{each['p50_ms']:.1f} / {each['p95_ms']:.1f}" for each in of)]
        for name, of in result["behind"].items()
    ]
    table(out, ["", *sizes], rows)
    print("\nRows a second, in bulk and one by one:\n", file=out)
    rows = [
        [name, *(f"{of[each]:,.0f}" if each in of else "" for each in COLUMNS.values()), of["durable"]]
        for name, of in stores.items()
        if "durable" in of
    ]
    table(out, ["", *COLUMNS, "durable"], rows)
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
    columns = ("with", "without", "added")
    table(
        out,
        ["", *columns, "ratio"],
        [
            [name, *(f"{of[f'ms_{each}']:.2f}" for each in columns), f"{of['ratio']:.2f}"]
            for name, of in result["audit"].items()
        ],
    )


def cell(bucket: dict[str, Any]) -> str:
    """Recall and times."""
    recall = f"{bucket['recall']:.2f}: " if "recall" in bucket else ""
    return f"{recall}{bucket['p50_ms']:.1f} / {bucket['p95_ms']:.1f}"


def table(out: TextIO, head: list[str], rows: list[list[Any]]) -> None:
    """In Markdown."""
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(map(str, row))} |", file=out)
