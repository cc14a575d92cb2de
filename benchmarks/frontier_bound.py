"""How wide generation could be at best: a bound, not a contender.

    python benchmarks/frontier_bound.py
    python benchmarks/frontier_bound.py --table_only

Finds the widest generated network that fits a budget if its codes took no byte,
and if its generator took none either; the op, and all that is not a pointwise
kernel, stay. Where even that is hardly wider than the network that stores its
kernels in four bits, no generator can win: its kernels would have to be better
than those of four bits, which are nearly as good as float. Trains nothing.
Writes `results/frontier_bound.json`.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import frontier
import frontier_sizes
import measured_table
from frontier_contenders import CONTENDERS
from frontier_report import TITLES
from frontier_tasks import TASKS
from tqdm import tqdm

from keras_hypertinypw import width_search  # isort: skip
from keras_hypertinypw.files import write_json
from keras_hypertinypw.footprint import footprint

RESULTS = pathlib.Path(__file__).parent / "results" / "frontier_bound.json"
HEADER = (
    "| Task | File and op | int4 | generated | if codes took nothing | "
    "if the generator neither |"
)
_TASKS = ("arabic_40", "speech_v1", "mitdb")
_BUDGETS = (8, 16, 32)
_GENERATED = "gen_1_bias8"
# Parts of a file that take nothing, by bound.
_FREE = {"real": (), "codes": ("codes",), "both": ("codes", "generator")}


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of untrained files of a contender, by width; built once each.

    Attributes:
        build: Returns the file of that many channels.
        parts: What was built: all bytes, and bytes by part.
    """

    build: Callable[[int], bytes]
    parts: dict[int, dict[str, int]] = dataclasses.field(default_factory=dict)

    def measure(self, width: int, free: tuple[str, ...]) -> int:
        """Returns the bytes of a file, without those of the free parts."""
        if width not in self.parts:
            counted = footprint(self.build(width))
            self.parts[width] = {
                **counted.by_part,
                "all": counted.flash_bytes,
            }
        parts = self.parts[width]
        return parts["all"] - sum(parts[name] for name in free)


def sizes_of(task: str, name: str) -> Sizes:
    """Returns the sizes of a contender's networks for a task."""
    contender, data = CONTENDERS[name], frontier.load(task)["train"]
    shape, num_classes = data.x.shape[1:], len(data.classes)

    def build(width: int) -> bytes:
        return width_search.untrained_file(
            contender.build(TASKS[task].network, shape, num_classes, width),
            contender.convert,
            kernel_bits=contender.kernel_bits,
        )

    return Sizes(build)


def widest(
    sizes: Sizes, name: str, budget_kb: int, free: tuple[str, ...]
) -> int | None:
    """Returns the most channels that fit, None if none do."""
    contender = CONTENDERS[name]
    budget = budget_kb * frontier_sizes.KIB
    return width_search.widest(
        lambda width: sizes.measure(width, free),
        budget - frontier_sizes.code_bytes(contender),
        least=contender.least_width,
    )


def measure(task: str) -> list[dict[str, Any]]:
    """Returns a line for each budget."""
    int4, generated = sizes_of(task, "int4"), sizes_of(task, _GENERATED)
    return [
        {
            "task": task,
            "budget_kb": budget,
            "int4": widest(int4, "int4", budget, ()),
            **{
                bound: widest(generated, _GENERATED, budget, free)
                for bound, free in _FREE.items()
            },
        }
        for budget in _BUDGETS
    ]


def table() -> str:
    """Returns the table of what was measured, in Markdown."""
    lines = [HEADER, "|" + " --- |" * (HEADER.count("|") - 1)]
    for row in json.loads(RESULTS.read_text()):
        widths = [row[name] or "" for name in ("int4", *_FREE)]
        cells = [TITLES[row["task"]], f"{row['budget_kb']} kB", *widths]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def run() -> None:
    """Measures, and writes."""
    tasks = tqdm(_TASKS, desc="Tasks", unit="task")
    write_json(RESULTS, [line for task in tasks for line in measure(task)])


if __name__ == "__main__":
    measured_table.main(__doc__, run, table)
