"""How wide a generated network could be at best: a bound, not a contender.

    python benchmarks/frontier_bound.py
    python benchmarks/frontier_bound.py --table_only

Finds the widest network that fits a budget if the codes took no byte, and if
the generator took none either; the ops' code, and all that is not a pointwise
kernel, stay. All else is as small as it gets (`gen_1_least`). Trains nothing. A
better generator can win no more channels than these; where they are no more
than those of the network that stores its kernels in four bits, it cannot win.
Writes `results/frontier_bound.json`.
"""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

import frontier
import frontier_sizes
import measured_table
from frontier_contenders import CONTENDERS
from frontier_report import TITLES, read_rows
from frontier_tasks import TASKS
from tqdm import tqdm

from keras_hypertinypw.files import write_json
from keras_hypertinypw.footprint import footprint

RESULTS = pathlib.Path(__file__).parent / "results" / "frontier_bound.json"
HEADER = (
    "| Task | File and op | int4 | generated | if codes took nothing | "
    "if the generator neither |"
)
_BUDGETS = (8, 16)
_GENERATED = "gen_1_least"
# Parts of a file that take nothing, by column.
_FREE: dict[str, tuple[str, ...]] = {
    "real": (),
    "no_codes": ("codes",),
    "no_generator": ("codes", "generator"),
}


def measure(task: str) -> list[dict[str, Any]]:
    """Returns a line for each budget: channels by contender."""
    contender, data = CONTENDERS[_GENERATED], frontier.load(task)["train"]
    shape, num_classes = data.x.shape[1:], len(data.classes)

    @functools.cache
    def bytes_by_part(width: int) -> dict[str, int]:
        content = frontier_sizes.untrained_file(
            TASKS[task], contender, shape, num_classes, width
        )
        return footprint(content).by_part

    def widest(budget_kb: int, free: tuple[str, ...]) -> int | None:
        return frontier_sizes.widest(
            lambda width: sum(
                size
                for part, size in bytes_by_part(width).items()
                if part not in free
            ),
            contender,
            budget_kb * frontier_sizes.KIB,
        )

    int4 = {
        row["budget_kb"]: row["width"]
        for row in read_rows()
        if (row["task"], row["contender"]) == (task, "int4")
    }
    return [
        {"task": task, "budget_kb": budget, "int4": int4[budget]}
        | {column: widest(budget, free) for column, free in _FREE.items()}
        for budget in _BUDGETS
    ]


def table() -> str:
    """Returns the table of what was measured, in Markdown."""
    lines = [HEADER, "|" + " --- |" * (HEADER.count("|") - 1)]
    for row in json.loads(RESULTS.read_text()):
        widths = " | ".join(str(row[name]) for name in ("int4", *_FREE))
        lines.append(
            f"| {TITLES[row['task']]} | {row['budget_kb']} kB | {widths} |"
        )
    return "\n".join(lines)


def run() -> None:
    """Measures, and writes."""
    tasks = tqdm(("arabic_40", "speech_v1", "mitdb"), unit="task")
    write_json(RESULTS, [line for task in tasks for line in measure(task)])


if __name__ == "__main__":
    measured_table.main(__doc__, run, table)
