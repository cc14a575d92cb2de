"""What the frontier aimed at, and what was reached, from its rows."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from typing import Any

import markdown_table
from frontier_rows import FOLDER, TITLES, Row, order

HEADER = "| Aim | Where | Measured | Reached |"
_GIVEN_TASKS = ("arabic_40", "speech_v1", "mitdb", "mitdb_v")
_SEEDS = 3
# Of what is measured, in the units of it.
MOST_GIVEN_SHARE = 0.6  # Of the file in four bits.
MOST_GIVEN_LOSS = 0.005  # In macro-F1; of one firmware's models, too.
MOST_LOSS = 0.003
LEAST_LEAD = 0.01
LEAST_LEADING = 3  # Cells.
MOST_FIRMWARE_SHARE = 0.6
MOST_UPDATE_SHARE = 0.3
LEAST_RATIO = 6.31
LEAST_PAIR_SHARE = 0.95
LEAST_RATE = 0.85  # Sensitivity and specificity.
Line = tuple[str, str, str, bool]


def table(rows: list[Row], means: list[Row]) -> str:
    """Returns every aim, cell by cell.

    Args:
        rows: All trainings.
        means: `frontier_differences.py`'s means of seeds.
    """
    lines = markdown_table.head(HEADER)
    for aim, where, measured, reached in aims(rows, means):
        verdict = "yes" if reached else "**no**"
        lines.append(f"| {aim} | {where} | {measured} | {verdict} |")
    return "\n".join(lines)


def aims(rows: list[Row], means: list[Row]) -> Iterator[Line]:
    """Yields aim, cell, what was measured there, and whether it is enough."""
    yield from _given(rows, means)
    yield from _equal_bytes(means)
    yield from _firmware(rows)
    yield from _pair(rows)
    yield _ventricular(rows)


def _given(rows: list[Row], means: list[Row]) -> Iterator[Line]:
    files = _given_files(rows)
    generated = {
        row["task"]: row["generated"]
        for row in means
        if row["budget_kb"] is None
    }
    for task in _GIVEN_TASKS[:-1]:  # "V or not" is a second score of a file.
        share = files[task, generated[task]] / files[task, "int4"]
        yield (
            f"given network: at most {MOST_GIVEN_SHARE} of the file in four "
            "bits",
            TITLES[task],
            f"{share:.2f}",
            share <= MOST_GIVEN_SHARE,
        )
    for task in _GIVEN_TASKS:
        ours = _given_scores(rows, task, generated[task])
        stored = _given_scores(rows, task, "stored_int8")
        if ours and stored:
            difference = statistics.median(ours) - statistics.median(stored)
            seeds = min(len(ours), len(stored))
            enough = seeds >= _SEEDS
            note = "" if enough else f" ({seeds} seeds)"
            yield (
                f"given network: medians of {_SEEDS} seeds at most "
                f"{100 * MOST_GIVEN_LOSS:.1f} point below int8",
                TITLES[task],
                f"{100 * difference:+.1f}{note}",
                difference >= -MOST_GIVEN_LOSS and enough,
            )


def _given_files(rows: list[Row]) -> dict[tuple[str, str], int]:
    """Returns bytes of the given networks, seed 0, by task and contender."""
    return {
        (row["task"], row["contender"]): row["file_bytes"]
        for row in rows
        if row["budget_kb"] is None and row["seed"] == 0
    }


def _given_scores(rows: list[Row], task: str, contender: str) -> list[float]:
    """Returns those of the given network, one a seed."""
    return [
        row["macro_f1"]
        for row in rows
        if (row["task"], row["contender"]) == (task, contender)
        and row["budget_kb"] is None
    ]


def _equal_bytes(means: list[Row]) -> Iterator[Line]:
    cells = sorted(
        (row for row in means if row["budget_kb"] is not None), key=order
    )
    for row in cells:
        yield (
            f"equal bytes: at most {100 * MOST_LOSS:.1f} point below the best "
            "stored network",
            _cell(row),
            f"{100 * row['difference']:+.1f}",
            row["difference"] >= -MOST_LOSS,
        )
    leading = [
        _cell(row)
        for row in cells
        if row["difference"] >= LEAST_LEAD
        and row["ci_low"] is not None
        and row["ci_low"] > 0
    ]
    yield (
        f"equal bytes: {100 * LEAST_LEAD:.1f} point above, and the interval "
        f"above 0, in {LEAST_LEADING} cells",
        "; ".join(leading),
        str(len(leading)),
        len(leading) >= LEAST_LEADING,
    )


def _cell(row: Row) -> str:
    return f"{TITLES[row['task']]}, {row['budget_kb']} kB"


def _firmware(rows: list[Row]) -> Iterator[Line]:
    found = _read("several_models.json")
    totals = found["totals"]
    share = totals["smallest"] / totals["stored"]
    yield (
        f"three models in one firmware: at most {MOST_FIRMWARE_SHARE} of the "
        "best stored ones",
        "four classes, 40 words, nine words",
        f"{share:.2f}",
        share <= MOST_FIRMWARE_SHARE,
    )
    worst = min(
        networks["smallest"]["macro_f1"] - networks["stored"]["macro_f1"]
        for networks in found["networks"].values()
    )
    yield (
        "three models in one firmware: each at most "
        f"{100 * MOST_GIVEN_LOSS:.1f} point below",
        "the same",
        f"{100 * worst:+.1f}",
        worst >= -MOST_GIVEN_LOSS,
    )
    update = _read("codes_update.json")
    share = update["patch_bytes"] / _given_files(rows)["arabic_40", "int4"]
    yield (
        f"an update of one model: at most {MOST_UPDATE_SHARE} of its stored "
        "file",
        "40 words, 128 channels, four bits",
        f"{share:.2f}",
        share <= MOST_UPDATE_SHARE,
    )


def _pair(rows: list[Row]) -> Iterator[Line]:
    pair = {
        row["family"]: row for row in rows if row["task"] == "arabic_40_wide"
    }
    stored, generated = pair["stored_int8"], pair["generated"]
    ratio = _flash(stored) / _flash(generated)
    share = generated["macro_f1"] / stored["macro_f1"]
    where = f"40 words, {stored['width']} channels"
    yield (
        f"the paper's size: {LEAST_RATIO} times fewer bytes",
        where,
        f"{ratio:.1f}",
        ratio >= LEAST_RATIO,
    )
    yield (
        f"the paper's size: {LEAST_PAIR_SHARE:.0%} of the macro-F1",
        where,
        f"{share:.0%}",
        share >= LEAST_PAIR_SHARE,
    )


def _flash(row: Row) -> int:
    return row["file_bytes"] + row["op_code_bytes"]


def _ventricular(rows: list[Row]) -> Line:
    chosen = max(
        (
            row
            for row in rows
            if (row["task"], row["family"]) == ("mitdb_v", "generated")
            and row["budget_kb"] == 32
        ),
        key=lambda row: row["val_macro_f1"],
    )
    rates = chosen["sensitivity"], chosen["specificity"]
    return (
        f"V or not, 32 kB: sensitivity and specificity {LEAST_RATE}",
        f"{chosen['contender']}, seed {chosen['seed']}, best on validation",
        f"{rates[0]:.2f} and {rates[1]:.2f}",
        min(rates) >= LEAST_RATE,
    )


def _read(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name).read_text())
