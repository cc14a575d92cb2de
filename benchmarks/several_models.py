"""Three tasks in one firmware: the best stored networks, or generated ones.

    python benchmarks/several_models.py

Reads the rows of `frontier.py` and the files that it left in
`build/frontier/`. For each task the stored network (int8 or int4, of any
width) is the one that is best on validation; the generated one is the
smallest that is at most half a point below it there, or else the best.
Generated networks come twice: each with the generator that it was trained
with, and all with one fixed random generator, which the firmware then holds
once. Every shared file runs in TFLM against its materialized twin. Writes
`results/several_models.json`, and prints the README's table;
`--table_only` prints what an earlier run wrote.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import frontier
import measured_table
from frontier_contenders import CONTENDERS
from frontier_rows import TITLES, read_rows

from keras_hypertinypw import share_generator, verify
from keras_hypertinypw.files import write_json
from keras_hypertinypw.op_size import op_code_bytes
from keras_hypertinypw.progress import stage

TASKS = ("mitdb", "arabic_40", "speech_v1")
RESULTS = pathlib.Path(__file__).parent / "results" / "several_models.json"
HEADER = "| Networks | Task | Kernels (width) | Macro-F1 | Flash |"
_KINDS = {
    "stored": "all three",
    "generated": "all three, and the op",
    "shared": "all three, the generator, and the op",
}
_SEED = 0
_TOLERANCE = 0.005  # Of macro-F1, on validation.
_FIXED = "gen_1_fixed"
Row = dict[str, Any]


def choose(rows: list[Row], task: str) -> dict[str, Row]:
    """Returns the rows of a task's networks, by what they are.

    Args:
        rows: All rows.
        task: A key of `frontier_tasks.TASKS`.
    """
    rows = [row for row in rows if row["task"] == task and row["seed"] == _SEED]
    stored = max(
        (row for row in rows if row["family"] in ("stored_int8", "int4")),
        key=_validation,
    )
    generated = [row for row in rows if row["family"] == "generated"]
    least = _validation(stored) - _TOLERANCE
    return {
        "stored": stored,
        "generated": _smallest(
            [row for row in generated if row["contender"] != _FIXED], least
        ),
        "shared": _smallest(
            [row for row in generated if row["contender"] == _FIXED], least
        ),
    }


def _validation(row: Row) -> float:
    return row["val_macro_f1"]


def _smallest(rows: list[Row], least: float) -> Row:
    good = [row for row in rows if _validation(row) >= least]
    if good:
        return min(good, key=lambda row: row["file_bytes"])
    return max(rows, key=_validation)


def flashed(row: Row) -> bytes:
    """Returns the file of a row, as it is flashed."""
    name = row["contender"]
    folder = frontier.folder(row["task"], name, row["width"], row["seed"])
    return CONTENDERS[name].shrink((folder / "model.tflite").read_bytes())


def table() -> str:
    """Returns the README's table of what was measured."""
    found = json.loads(RESULTS.read_text())
    lines = [HEADER, "|" + " --- |" * (HEADER.count("|") - 1)]
    for kind in _KINDS:
        for task, networks in found["networks"].items():
            row = networks[kind]
            size = row["file_bytes"]
            if kind == "shared":
                size = found["shared_file_bytes"][task]
            lines.append(
                f"| {kind} | {TITLES[task]} | {row['contender']} "
                f"({row['width']}) | {row['macro_f1']:.3f} | {size:,} B |"
            )
        total = found["totals"][kind]
        share = total / found["totals"]["stored"]
        lines.append(
            f"| {kind} | {_KINDS[kind]} | | | {total:,} B, {share:.2f} |"
        )
    return "\n".join(lines)


def run() -> None:
    """Adds up, shares, and writes."""
    rows = read_rows()
    chosen = {task: choose(rows, task) for task in TASKS}
    with stage("Sharing the fixed generator"):
        firmware = share_generator(
            [flashed(chosen[task]["shared"]) for task in TASKS]
        )
        for content in firmware.model_contents:
            result = verify(content, generator=firmware.generator)
            if not result.identical:
                raise RuntimeError(f"Expected equal outputs: {result}")
    totals = {
        kind: sum(chosen[task][kind]["file_bytes"] for task in TASKS)
        for kind in ("stored", "generated")
    }
    totals["generated"] += op_code_bytes("small")
    totals["shared"] = firmware.num_bytes + op_code_bytes("small")
    keys = ("contender", "width", "file_bytes", "macro_f1", "val_macro_f1")
    found = {
        "networks": {
            task: {
                kind: {key: row[key] for key in keys}
                for kind, row in kinds.items()
            }
            for task, kinds in chosen.items()
        },
        "generator_bytes": len(firmware.generator),
        "shared_file_bytes": dict(
            zip(TASKS, map(len, firmware.model_contents), strict=True)
        ),
        "totals": totals,
    }
    write_json(RESULTS, found)


if __name__ == "__main__":
    measured_table.main(__doc__, run, table)
