"""Draws what `frontier.py` measured: `results/frontier.png`, and tables.

    python benchmarks/frontier_report.py

Prints the README's tables in Markdown. Of several generators at a budget the
one with the best macro-F1 on validation is shown, of several seeds the median.
"""

from __future__ import annotations

import collections
import json
import pathlib
import statistics
import sys
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from mitdb_table import interval

FOLDER = pathlib.Path(__file__).resolve().parent / "results"
RESULTS = FOLDER / "frontier.jsonl"
PLOT = FOLDER / "frontier.png"
TITLES = {
    "arabic_40": "Arabic speech commands, 40 words",
    "speech_v1": "Speech Commands v1, 9 words",
    "mitdb": "MIT-BIH, inter-patient, 4 classes",
    "mitdb_v": "MIT-BIH, inter-patient, V or not, at t*",
    "mitdb_beats": "MIT-BIH, beats split at random (capacity only)",
}
_COLORS = {
    "stored_int8": "tab:blue",
    "int4": "tab:orange",
    "generated": "tab:red",
    "tied": "tab:green",
    "low_rank": "tab:purple",
    "lut": "tab:brown",
    "entropy": "tab:pink",
}
Row = dict[str, Any]


def read_rows() -> list[Row]:
    """Returns the cells that something fitted in."""
    rows = map(json.loads, RESULTS.read_text().splitlines())
    return [row for row in rows if row.get("fits", True)]


def summarize(rows: list[Row]) -> list[Row]:
    """Returns one row for each task, family and budget.

    Its scores are those of the seed in the middle, `seeds` says of how many,
    and `low` and `high` are the least and the greatest macro-F1.
    """
    contenders = collections.defaultdict(list)
    for row in rows:
        key = (row["task"], row["family"], row["budget_kb"], row["contender"])
        contenders[key].append(row)
    best: dict[tuple[Any, ...], Row] = {}
    for (*place, _), seeds in contenders.items():
        ordered = sorted(seeds, key=lambda row: row["macro_f1"])
        summary = {
            **ordered[len(ordered) // 2],
            "seeds": len(ordered),
            "low": ordered[0]["macro_f1"],
            "high": ordered[-1]["macro_f1"],
            "val_macro_f1": statistics.median(
                row["val_macro_f1"] for row in seeds
            ),
        }
        known = best.setdefault(tuple(place), summary)
        if summary["val_macro_f1"] > known["val_macro_f1"]:
            best[tuple(place)] = summary
    return list(best.values())


def tables(rows: list[Row]) -> str:
    """Returns the README's tables."""
    families = [
        name for name in _COLORS if any(r["family"] == name for r in rows)
    ]
    lines = [
        "| Task | Budget | " + " | ".join(families) + " |",
        "|" + " --- |" * (len(families) + 2),
    ]
    budgets = sorted({row["budget_kb"] for row in rows if row["budget_kb"]})
    for task, title in TITLES.items():
        for budget in budgets:
            found = {
                row["family"]: row
                for row in rows
                if (row["task"], row["budget_kb"]) == (task, budget)
            }
            if found:
                cells = [_cell(found.get(family)) for family in families]
                lines.append(f"| {title} | {budget} kB | {' | '.join(cells)} |")
    given = [row for row in rows if row["budget_kb"] is None]
    lines += [
        "",
        "| Given network, 128 channels | Kernels | File | macro-F1 | Seeds |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {TITLES[row['task']]} | {row['contender']} | "
        f"{row['file_bytes']:,} B | {_score(row)} | {row['seeds']} |"
        for row in sorted(
            given,
            key=lambda row: (
                list(TITLES).index(row["task"]),
                row["file_bytes"],
            ),
        )
    ]
    return "\n".join(lines)


def _cell(row: Row | None) -> str:
    return "" if row is None else f"{_score(row)}, width {row['width']}"


def _score(row: Row) -> str:
    names = {"value": "macro_f1", "low": "ci_low", "high": "ci_high"}
    return interval({key: row[name] for key, name in names.items()})


def draw(rows: list[Row]) -> None:
    """Writes the plot: macro-F1 against bytes of file and op."""
    tasks = [task for task in TITLES if any(r["task"] == task for r in rows)]
    figure, panels = plt.subplots(
        1, len(tasks), figsize=(5 * len(tasks), 4.5), squeeze=False
    )
    for panel, task in zip(panels[0], tasks, strict=True):
        for family, color in _COLORS.items():
            points = sorted(
                (row["file_bytes"] + row["op_code_bytes"], row)
                for row in rows
                if (row["task"], row["family"]) == (task, family)
            )
            if not points:
                continue
            sizes = [size / 1024 for size, _ in points]
            values = [row["macro_f1"] for _, row in points]
            panel.plot(sizes, values, "o-", color=color, label=family)
            panel.fill_between(
                sizes,
                [row["ci_low"] for _, row in points],
                [row["ci_high"] for _, row in points],
                color=color,
                alpha=0.08,
            )
        panel.set_xscale("log", base=2)
        panel.set_title(TITLES[task], fontsize=10)
        panel.set_xlabel("file and op, KiB")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("macro-F1 on the test set")
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(PLOT, dpi=100, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Writes the plot and prints the tables."""
    rows = summarize(read_rows())
    draw(rows)
    sys.stdout.write(tables(rows) + "\n")


if __name__ == "__main__":
    main()
