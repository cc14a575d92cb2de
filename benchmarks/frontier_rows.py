"""The rows that `frontier.py` left, and what tables and the plot show of them.

Of several contenders of a family at a budget one is shown, see `summarize`, and
of several seeds the mean.
"""

from __future__ import annotations

import collections
import json
import math
import pathlib
import statistics
from typing import Any

FOLDER = pathlib.Path(__file__).resolve().parent / "results"
RESULTS = FOLDER / "frontier.jsonl"
DIFFERENCES = FOLDER / "frontier_differences.jsonl"
MEANS = FOLDER / "frontier_means.jsonl"
TITLES = {
    "arabic_40": "Arabic speech commands, 40 words",
    "speech_v1": "Speech Commands v1, 9 words",
    "mitdb": "MIT-BIH, inter-patient, 4 classes",
    "mitdb_v": "MIT-BIH, inter-patient, V or not, at t*",
    "mitdb_beats": "MIT-BIH, beats split at random (capacity only)",
    "arabic_40_wide": "Arabic speech commands, 40 words, 16 epochs",
}
FAMILIES = (
    *("stored_int8", "int4", "generated", "tied", "low_rank", "lut"),
    "entropy",
)
Row = dict[str, Any]
_SCORES = ("macro_f1", "ci_low", "ci_high", "val_macro_f1")


def read_rows() -> list[Row]:
    """Returns the cells that something fitted in."""
    return [row for row in _read(RESULTS) if row.get("fits", True)]


def by_contender(rows: list[Row]) -> list[list[Row]]:
    """Returns the seeds of every contender of every cell."""
    contenders = collections.defaultdict(list)
    for row in rows:
        key = ("task", "budget_kb", "contender", "width")
        contenders[tuple(row[name] for name in key)].append(row)
    return list(contenders.values())


def rank(seeds: list[Row]) -> tuple[bool, float]:
    """Orders contenders by their mean on validation.

    One seed may be lucky: contenders of several go before those of one.
    """
    return len(seeds) > 1, mean(seeds, "val_macro_f1")


def order(row: Row) -> tuple[float, ...]:
    """Sorts lines by task and budget, the given network last."""
    return list(TITLES).index(row["task"]), row["budget_kb"] or math.inf


def mean(seeds: list[Row], name: str) -> float:
    """Returns the mean of a score over seeds."""
    return statistics.fmean(row[name] for row in seeds)


def average(seeds: list[Row]) -> Row:
    """Returns the row of the first seed with the means of scores, and `seeds`.

    That is how many there are.
    """
    return {
        **seeds[0],
        **{name: mean(seeds, name) for name in _SCORES},
        "seeds": len(seeds),
    }


def summarize(rows: list[Row]) -> list[Row]:
    """Returns one row for each task, family and budget.

    For the given network one for each contender. It is the `average` of the
    contender that `rank` puts first.
    """
    best: dict[tuple[Any, ...], list[Row]] = {}
    for seeds in by_contender(rows):
        place = [seeds[0][key] for key in ("task", "family", "budget_kb")]
        if seeds[0]["budget_kb"] is None:
            place.append(seeds[0]["contender"])
        best[tuple(place)] = max(best.get(tuple(place), seeds), seeds, key=rank)
    return [average(seeds) for seeds in best.values()]


def read_differences() -> list[Row]:
    """Returns generated minus stored: a line for each budget and seed."""
    return _read(DIFFERENCES)


def read_means() -> list[Row]:
    """Returns means of several seeds, generated and stored, by budget."""
    return _read(MEANS)


def _read(path: pathlib.Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]
