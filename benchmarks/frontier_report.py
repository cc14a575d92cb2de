"""Draws what `frontier.py` measured: `results/frontier.png`, and tables.

    python benchmarks/frontier_report.py
    python benchmarks/frontier_report.py --tables_only

Prints the README's tables in Markdown. Of several generators at a budget the
one with the best macro-F1 on validation is shown, of several seeds the one in
the middle, of two the lower one.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import pathlib
import statistics
import sys
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import lines as lines_2d
from matplotlib import pyplot as plt
from mitdb_table import interval

FOLDER = pathlib.Path(__file__).resolve().parent / "results"
RESULTS = FOLDER / "frontier.jsonl"
DIFFERENCES = FOLDER / "frontier_differences.jsonl"
PLOT = FOLDER / "frontier.png"
TITLES = {
    "arabic_40": "Arabic speech commands, 40 words",
    "speech_v1": "Speech Commands v1, 9 words",
    "mitdb": "MIT-BIH, inter-patient, 4 classes",
    "mitdb_v": "MIT-BIH, inter-patient, V or not, at t*",
    "mitdb_beats": "MIT-BIH, beats split at random (capacity only)",
    "arabic_40_wide": "Arabic speech commands, 40 words, 16 epochs",
}
_COLUMNS = 2
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

    For the given network one for each contender. Its scores are those of the
    seed in the middle, of two the lower one, `seeds` says of how many, and
    `low` and `high` are the least and the greatest macro-F1.
    """
    contenders = collections.defaultdict(list)
    for row in rows:
        key = (row["task"], row["family"], row["budget_kb"], row["contender"])
        contenders[key].append(row)
    best: dict[tuple[Any, ...], Row] = {}
    for (*place, _), seeds in contenders.items():
        ordered = sorted(seeds, key=lambda row: row["macro_f1"])
        summary = {
            **ordered[(len(ordered) - 1) // 2],
            "seeds": len(ordered),
            "low": ordered[0]["macro_f1"],
            "high": ordered[-1]["macro_f1"],
            "val_macro_f1": statistics.median(
                row["val_macro_f1"] for row in seeds
            ),
        }
        if summary["budget_kb"] is None:
            place.append(summary["contender"])
        known = best.setdefault(tuple(place), summary)
        if summary["val_macro_f1"] > known["val_macro_f1"]:
            best[tuple(place)] = summary
    return list(best.values())


def budget_table(rows: list[Row]) -> str:
    """Returns the README's table of equal bytes: macro-F1, width and seeds.

    The best of a line is bold; see the plot for the intervals.
    """
    rows = [row for row in rows if row["budget_kb"] is not None]
    families = [f for f in _COLORS if any(row["family"] == f for row in rows)]
    lines = [
        "| Task | File and op | " + " | ".join(families) + " |",
        "|" + " --- |" * (len(families) + 2),
    ]
    places = {
        (list(TITLES).index(row["task"]), row["budget_kb"]): row["task"]
        for row in rows
    }
    for (_, budget), task in sorted(places.items()):
        found = {
            row["family"]: row
            for row in rows
            if (row["task"], row["budget_kb"]) == (task, budget)
        }
        best = max(row["macro_f1"] for row in found.values())
        cells = [_cell(found.get(family), best) for family in families]
        lines.append(f"| {TITLES[task]} | {budget} kB | {' | '.join(cells)} |")
    return "\n".join(lines)


def given_table(rows: list[Row]) -> str:
    """Returns the README's table of the network that keeps its channels."""
    lines = [
        "| Given network | Channels | Kernels | File | macro-F1 | Seeds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    given = [row for row in rows if row["budget_kb"] is None]
    given.sort(
        key=lambda row: (list(TITLES).index(row["task"]), -row["file_bytes"])
    )
    lines += [
        f"| {TITLES[row['task']]} | {row['width']} | {row['contender']} | "
        f"{row['file_bytes']:,} B | {_score(row)} | {row['seeds']} |"
        for row in given
    ]
    return "\n".join(lines)


def difference_table(differences: list[Row]) -> str:
    """Returns the README's table of generated against stored, in points."""
    lines = [
        "| Task | File and op | Seed | Generated | Best stored | Difference |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    differences = sorted(
        differences,
        key=lambda row: (
            list(TITLES).index(row["task"]),
            row["budget_kb"] or math.inf,
            row["seed"],
        ),
    )
    for row in differences:
        budget = row["budget_kb"]
        place = f"{budget} kB" if budget else "given network"
        lines.append(
            f"| {TITLES[row['task']]} | {place} | {row['seed']} | "
            f"{row['generated']} | {row['stored']} | {_points(row)} |"
        )
    return "\n".join(lines)


def _points(row: Row) -> str:
    """Returns a difference, with its interval where there is one."""
    text = f"{100 * row['difference']:+.1f}"
    if row["ci_low"] is None:
        return text
    return f"{text} [{100 * row['ci_low']:+.1f}, {100 * row['ci_high']:+.1f}]"


def _cell(row: Row | None, best: float) -> str:
    if row is None:
        return ""
    text = f"{row['macro_f1']:.3f}"
    score = f"**{text}**" if row["macro_f1"] == best else text
    return f"{score} ({row['width']}; {row['seeds']})"


def _score(row: Row) -> str:
    names = {"value": "macro_f1", "low": "ci_low", "high": "ci_high"}
    return interval({key: row[name] for key, name in names.items()})


def draw(rows: list[Row]) -> None:
    """Writes the plot: macro-F1 against bytes of file and op."""
    drawn = {row["task"] for row in rows if row["budget_kb"] is not None}
    tasks = [task for task in TITLES if task in drawn]
    lines = -(-len(tasks) // _COLUMNS)
    figure, panels = plt.subplots(
        lines,
        _COLUMNS,
        figsize=(5.6 * _COLUMNS, 3.6 * lines),
        squeeze=False,
        layout="constrained",
    )
    for panel in panels.flat[len(tasks) :]:
        panel.set_axis_off()
    for panel, task in zip(panels.flat, tasks, strict=False):
        _draw_task(panel, [row for row in rows if row["task"] == task])
        panel.set_title(TITLES[task], fontsize=10)
    present = [f for f in _COLORS if any(row["family"] == f for row in rows)]
    handles = [
        lines_2d.Line2D([], [], color=_COLORS[f], marker="o", label=f)
        for f in present
    ]
    handles.append(
        lines_2d.Line2D(
            [],
            [],
            color="grey",
            marker="s",
            fillstyle="none",
            linestyle="",
            label="given network, whatever the bytes",
        )
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.savefig(PLOT, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _draw_task(panel: Any, rows: list[Row]) -> None:
    for row in rows:
        given = row["budget_kb"] is None
        panel.errorbar(
            _kib(row),
            row["macro_f1"],
            [
                [row["macro_f1"] - row["ci_low"]],
                [row["ci_high"] - row["macro_f1"]],
            ],
            color=_COLORS[row["family"]],
            marker="s" if given else "o",
            fillstyle="none" if given else "full",
            elinewidth=0.7,
            capsize=2,
        )
    for family, color in _COLORS.items():
        fitted = sorted(
            (_kib(row), row["macro_f1"])
            for row in rows
            if row["family"] == family and row["budget_kb"] is not None
        )
        sizes, values = zip(*fitted, strict=True) if fitted else ((), ())
        panel.plot(sizes, values, color=color, linewidth=1.2)
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    panel.set_xlabel("file and op, kB of 1,024 bytes")
    panel.set_ylabel("macro-F1, test set")
    panel.grid(alpha=0.3)


def _kib(row: Row) -> float:
    return (row["file_bytes"] + row["op_code_bytes"]) / 1024


def main() -> None:
    """Writes the plot and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables_only", action="store_true")
    options = parser.parse_args()
    rows = summarize(read_rows())
    if not options.tables_only:
        draw(rows)
    differences = [
        json.loads(line) for line in DIFFERENCES.read_text().splitlines()
    ]
    tables = (
        budget_table(rows),
        difference_table(differences),
        given_table(rows),
    )
    sys.stdout.write("\n\n".join(tables) + "\n")


if __name__ == "__main__":
    main()
