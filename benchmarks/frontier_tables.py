"""Tables of the frontier, and the documents that show them."""

from __future__ import annotations

import collections
import math
import pathlib
from typing import Any

import frontier_aims
import markdown_table
from frontier_rows import (
    FAMILIES,
    TITLES,
    Row,
    order,
    read_differences,
    read_means,
    read_rows,
    summarize,
)
from mitdb_table import interval

from keras_hypertinypw.files import write_atomically

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DETAILS = ROOT / "benchmarks/frontier.md"
COMMAND = "python benchmarks/frontier_report.py"


def map_table(means: list[Row]) -> str:
    """Returns how far generation is above the best stored contender.

    In points of macro-F1, the difference of means over seeds with its interval;
    in parentheses how many seeds of either there are. Bold is what lies on one
    side of 0.
    """
    cells = {(row["task"], row["budget_kb"]): row for row in means}
    budgets = sorted(
        {budget for _, budget in cells}, key=lambda budget: budget or math.inf
    )
    lines = markdown_table.head(
        f"| Task | {' | '.join(map(_place, budgets))} |"
    )
    for task, title in TITLES.items():
        found = [cells.get((task, budget)) for budget in budgets]
        if any(found):
            lines.append(f"| {title} | {' | '.join(map(_in_map, found))} |")
    return "\n".join(lines)


def budget_table(rows: list[Row]) -> str:
    """Returns the README's table of equal bytes: macro-F1, width and seeds.

    The best of a line is bold; see the plot for the intervals.
    """
    rows = [row for row in rows if row["budget_kb"] is not None]
    families = [f for f in FAMILIES if any(row["family"] == f for row in rows)]
    lines = markdown_table.head(
        f"| Task | File and op | {' | '.join(families)} |"
    )
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


def contender_table(rows: list[Row]) -> str:
    """Returns every training at a budget: a line for each contender."""
    lines = markdown_table.head(
        "| Task | File and op | Contender | Channels | Recipe | Seeds | "
        "Validation | Test |"
    )
    groups = collections.defaultdict(list)
    for row in rows:
        if row["budget_kb"] is not None:
            key = ("task", "budget_kb", "contender", "width", "code_recipe")
            groups[tuple(row[name] for name in key)].append(row)
    for found in sorted(
        groups.values(), key=lambda found: _line_order(found[0])
    ):
        found.sort(key=lambda row: row["seed"])
        row = found[0]
        columns = [
            ", ".join(format(row[name], form) for row in found)
            for name, form in (
                ("seed", "d"),
                ("val_macro_f1", ".3f"),
                ("macro_f1", ".3f"),
            )
        ]
        lines.append(
            f"| {TITLES[row['task']]} | {_place(row['budget_kb'])} | "
            f"{row['contender']} | {row['width']} | "
            f"{row['code_recipe'] or ''} | {' | '.join(columns)} |"
        )
    return "\n".join(lines)


def _line_order(row: Row) -> tuple[Any, ...]:
    """Sorts contenders by place and family, then by what they are."""
    return (
        *order(row),
        FAMILIES.index(row["family"]),
        *(row[name] or 0 for name in ("contender", "width", "code_recipe")),
    )


def given_table(rows: list[Row]) -> str:
    """Returns the table of the networks that keep their channels."""
    lines = markdown_table.head(
        "| Given network | Channels | Kernels | Recipe | File | Arena | "
        "macro-F1 | Seeds |"
    )
    given = [row for row in rows if row["budget_kb"] is None]
    given.sort(key=lambda row: (*order(row), -row["file_bytes"]))
    lines += [
        f"| {TITLES[row['task']]} | {row['width']} | {row['contender']} | "
        f"{row['code_recipe'] or ''} | {row['file_bytes']:,} B | "
        f"{row['arena_bytes']:,} B | {_score(row)} | {row['seeds']} |"
        for row in given
    ]
    return "\n".join(lines)


def difference_table(differences: list[Row]) -> str:
    """Returns generated against stored for each seed, in points."""
    lines = markdown_table.head(
        "| Task | File and op | Seed | Generated | Recipe | Best stored | "
        "Difference |"
    )
    for row in sorted(differences, key=lambda row: (*order(row), row["seed"])):
        lines.append(
            f"| {TITLES[row['task']]} | {_place(row['budget_kb'])} | "
            f"{row['seed']} | {row['generated']} | {row['code_recipe']} | "
            f"{row['stored']} | {_points(row)} |"
        )
    return "\n".join(lines)


def mean_table(means: list[Row]) -> str:
    """Returns the means of several seeds, and their difference in points."""
    lines = markdown_table.head(
        "| Task | File and op | Generated (seeds) | Stored (seeds) | "
        "Difference of means |"
    )
    for row in sorted(means, key=order):
        sides = [
            f"{row[side]} {mean:.3f} ({seeds})"
            for side, mean, seeds in zip(
                ("generated", "stored"), row["means"], row["seeds"], strict=True
            )
        ]
        lines.append(
            f"| {TITLES[row['task']]} | {_place(row['budget_kb'])} | "
            f"{' | '.join(sides)} | {_points(row)} |"
        )
    return "\n".join(lines)


def tables() -> dict[pathlib.Path, dict[str, str]]:
    """Returns all tables, by the document that shows them and by name."""
    everything, means = read_rows(), read_means()
    rows = summarize(everything)
    return {
        README: {
            "map": map_table(means),
            "budgets": budget_table(rows),
        },
        DETAILS: {
            "aims": frontier_aims.table(everything, means),
            "differences": difference_table(read_differences()),
            "means": mean_table(means),
            "trainings": contender_table(everything),
            "given": given_table(rows),
        },
    }


def fill() -> None:
    """Puts every table in its place.

    Raises:
        RuntimeError: If a document has no such place.
    """
    for document, named in tables().items():
        text = document.read_text(encoding="utf-8")
        for name, table in named.items():
            head = f"<!-- {name} table: {COMMAND} -->"
            tail = f"<!-- end of {name} table -->"
            before, _, rest = text.partition(head)
            _, _, after = rest.partition(tail)
            if not after:
                raise RuntimeError(
                    f"Expected {head!r} and {tail!r} in {document.name}. "
                    "Received: a document without."
                )
            text = f"{before}{head}\n\n{table}\n\n{tail}{after}"
        write_atomically(document, text.encode())


def _place(budget_kb: int | None) -> str:
    return f"{budget_kb} kB" if budget_kb else "given network"


def _in_map(row: Row | None) -> str:
    if row is None:
        return ""
    generated, stored = row["seeds"]
    text = _points(row)
    if row["ci_low"] is not None and row["ci_low"] * row["ci_high"] > 0:
        text = f"**{text}**"
    return f"{text} ({generated}, {stored})"


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
