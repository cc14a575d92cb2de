"""Trains every contender for every task and budget; one line a cell.

    python benchmarks/frontier.py
    python benchmarks/frontier.py --only='arabic_40 gen.*' --seeds=1,2

Appends rows to `benchmarks/results/frontier.jsonl` as they come. What is in
that file is not done again, and a training that was interrupted goes on from
its last epoch, so the command can be stopped anywhere. `--shard=0/2` and
`--shard=1/2` share the work between two processes. `frontier_report.py` draws
the rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import frontier_decisions
import frontier_sizes
import frontier_training
from frontier_contenders import CONTENDERS
from frontier_tasks import TASKS

from keras_hypertinypw import Interpreter  # isort: skip
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_hypertinypw.datasets.splits import SPLITS
from keras_hypertinypw.datasets.windows import Windows

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results/frontier.jsonl"
WORK = ROOT / "build/frontier"
BUDGETS = (4, 8, 16, 32, 64, 128)  # In kB of 1,024 B.


@dataclasses.dataclass(frozen=True)
class Cell:
    """One training.

    Attributes:
        task: A key of `TASKS`.
        contender: A key of `CONTENDERS`.
        budget_kb: Of file and op together; None for the given network.
        seed: Of training.
    """

    task: str
    contender: str
    budget_kb: int | None
    seed: int

    def __str__(self) -> str:
        size = f"{self.budget_kb}kB" if self.budget_kb else "given"
        return f"{self.task} {self.contender} {size} {self.seed}"


def cells(seeds: list[int]) -> Iterator[Cell]:
    """Yields all cells, what decides most first."""
    for seed in seeds:
        for name, task in TASKS.items():
            for contender in task.pair or CONTENDERS:
                yield Cell(name, contender, None, seed)
        for name, task in TASKS.items():
            for budget in () if task.pair else BUDGETS:
                for contender in CONTENDERS:
                    yield Cell(name, contender, budget, seed)


def measure(cell: Cell) -> list[dict[str, Any]]:
    """Trains a cell and returns its rows, none if nothing fits its budget."""
    task, contender = TASKS[cell.task], CONTENDERS[cell.contender]
    data = load(cell.task)
    shape, classes = data["train"].x.shape[1:], data["train"].classes
    sizes = frontier_sizes.untrained_sizes(
        task,
        contender,
        shape,
        len(classes),
        WORK / f"sizes_{cell.task}_{cell.contender}.json",
        frontier_training.commit(),
    )
    budget = cell.budget_kb and cell.budget_kb * frontier_sizes.KIB
    width: int | None = task.given_width
    if budget:
        width = frontier_sizes.widest(sizes.measure, contender, budget)
    if width is None:
        return [{**dataclasses.asdict(cell), "fits": False}]
    place = folder(cell.task, cell.contender, width, cell.seed)
    scores = frontier_training.run(
        cell.task, task, contender, width, cell.seed, data, place
    )
    content = contender.shrink((place / "model.tflite").read_bytes())
    code_bytes = frontier_sizes.code_bytes(contender)
    if budget and len(content) + code_bytes > budget:
        # Trained, fewer vectors are equal than was foreseen.
        sizes.correct(width, len(content))
        return measure(cell)
    with Interpreter(content) as interpreter:
        arena_bytes = interpreter.arena_used_bytes
    schedule = task.schedule
    origin = frontier_training.read_origin(place)
    row = {
        "family": contender.family,
        "width": width,
        "code_recipe": origin["code_recipe"],
        "file_bytes": len(content),
        "op_code_bytes": code_bytes,
        "arena_bytes": arena_bytes,
        "macs": frontier_sizes.multiply_accumulates(content),
        "synthesis_macs": frontier_sizes.synthesis_macs(content),
        "epochs": schedule.float_epochs + schedule.quantized_epochs,
        "commit": origin["commit"],
        "command": f"python benchmarks/frontier.py --only='^{cell}$'"
        f" --seeds={cell.seed}",
    }
    rows = [
        {**dataclasses.asdict(cell), "task": name, **score, **row}
        for name, score in scores.items()
    ]
    with np.load(place / "logits.npz") as logits:
        frontier_decisions.keep(rows, data, logits)
    return rows


def folder(task: str, contender: str, width: int, seed: int) -> pathlib.Path:
    """Returns where a training keeps what it makes."""
    return WORK / f"{task}-{contender}-{width}-{seed}"


@functools.lru_cache(maxsize=1)  # Cells come task by task.
def load(task: str) -> dict[str, Windows]:
    """Returns the windows of a task by split."""
    return {split: TASKS[task].load(split) for split in SPLITS}


def finished() -> set[Cell]:
    """Returns the cells that have rows."""
    if not RESULTS.exists():
        return set()
    rows = map(json.loads, RESULTS.read_text().splitlines())
    fields = [field.name for field in dataclasses.fields(Cell)]
    return {Cell(*(row[name] for name in fields)) for row in rows}


def main() -> None:
    """Works off what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="regular expression")
    parser.add_argument("--seeds", default="0", help="as in 0,1,2")
    parser.add_argument("--shard", default="0/1", help="index/count")
    options = parser.parse_args()
    index, count = map(int, options.shard.split("/"))
    # Networks this small gain little from a second thread.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    wanted = [
        cell
        for cell in cells([int(seed) for seed in options.seeds.split(",")])
        if re.search(options.only, str(cell))
    ][index::count]
    done = finished()
    for cell in tqdm(wanted, desc="Cells", unit="cell"):
        if cell in done:
            continue
        tqdm.write(str(cell), file=sys.stderr)
        rows = measure(cell)
        with RESULTS.open("ab", buffering=0) as file:
            # In one write: another shard may append, too.
            file.write("".join(f"{json.dumps(r)}\n" for r in rows).encode())
            os.fsync(file.fileno())


if __name__ == "__main__":
    main()
