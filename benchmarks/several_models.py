"""Three tasks in one firmware: the best stored networks, or smaller ones.

    python benchmarks/several_models.py

Reads the rows of `frontier.py`. Networks are chosen as in the map, by their
mean on validation, those of several seeds before those of one. For each task
`stored` is the best network (int8 or int4, of any width), `smaller stored` the
smallest of those within half a point of it, which the table leaves out where
they are the same, and `smallest` the smallest of any kind, generated or not,
that is as good as the best. `shared` networks have one fixed random generator,
which the firmware holds once. Their files, which `frontier.py` left in
`build/frontier/`, run in TFLM against their materialized twins; where they are
gone, what was measured of them stays. Writes `results/several_models.json`, and
prints the README's table; `--table_only` prints what an earlier run wrote.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import frontier
import markdown_table
import measured_table
from frontier_contenders import CONTENDERS
from frontier_rows import TITLES, average, by_contender, rank, read_rows

from keras_hypertinypw import share_generator, verify
from keras_hypertinypw.files import write_json
from keras_hypertinypw.op_size import ops_code_bytes
from keras_hypertinypw.progress import stage

TASKS = ("mitdb", "arabic_40", "speech_v1")
RESULTS = pathlib.Path(__file__).parent / "results" / "several_models.json"
HEADER = (
    "| Networks | Task | Kernels (width; seeds) | Macro-F1 | Flash | Arena |"
)
_KINDS = {
    "stored": "all three",
    "smaller stored": "all three",
    "smallest": "all three, and the ops",
    "shared": "all three, the generator, and the op",
}
_NEAR = 0.005  # In macro-F1 on validation.
_FIXED = "gen_1_fixed"
_PLACE = ("task", "contender", "width", "seed")
_SHARED = ("generator_bytes", "shared_file_bytes")
Row = dict[str, Any]


def choose(rows: list[Row], task: str) -> dict[str, Row]:
    """Returns a task's networks, by what they are.

    Args:
        rows: All rows.
        task: A key of `frontier_tasks.TASKS`.
    """
    contenders = by_contender([row for row in rows if row["task"] == task])
    stored = [
        seeds
        for seeds in contenders
        if seeds[0]["family"] in ("stored_int8", "int4")
    ]
    # TFLM's decompression is code of its own.
    allowed = [seeds for seeds in contenders if seeds[0]["family"] != "lut"]
    several, best = max(map(rank, stored))
    (fixed,) = (
        seeds for seeds in contenders if seeds[0]["contender"] == _FIXED
    )
    chosen = {
        "stored": max(stored, key=rank),
        "smaller stored": _smallest(stored, (several, best - _NEAR)),
        "smallest": _smallest(allowed, (several, best)),
        "shared": fixed,
    }
    return {kind: average(seeds) for kind, seeds in chosen.items()}


def _smallest(
    contenders: list[list[Row]], least: tuple[bool, float]
) -> list[Row]:
    """Returns the smallest file of at least that rank."""
    return min(
        (seeds for seeds in contenders if rank(seeds) >= least),
        key=lambda seeds: seeds[0]["file_bytes"],
    )


def code_bytes(networks: list[Row]) -> int:
    """Returns the flash of the ops that networks need, once for all.

    The builds are those with checks.

    Args:
        networks: Rows.
    """
    contenders = [CONTENDERS[row["contender"]] for row in networks]
    return ops_code_bytes(
        "small",
        generates=any(contender.needs_op for contender in contenders),
        widens=any(contender.narrow for contender in contenders),
    )


def share(networks: list[Row]) -> dict[str, Any]:
    """Returns the bytes of networks that share their generator.

    Args:
        networks: A row for each of `TASKS`.

    Raises:
        RuntimeError: If a network's outputs change.
    """
    paths = [
        frontier.folder(*(row[key] for key in _PLACE)) / "model.tflite"
        for row in networks
    ]
    if not all(path.exists() for path in paths):
        earlier = json.loads(RESULTS.read_text())
        return {key: earlier[key] for key in _SHARED}
    with stage("Sharing the fixed generator"):
        firmware = share_generator(
            [CONTENDERS[_FIXED].shrink(path.read_bytes()) for path in paths]
        )
        for content in firmware.model_contents:
            result = verify(content, generator=firmware.generator)
            if not result.identical:
                raise RuntimeError(f"Expected equal outputs: {result}")
    sizes = map(len, firmware.model_contents)
    return {
        "generator_bytes": len(firmware.generator),
        "shared_file_bytes": dict(zip(TASKS, sizes, strict=True)),
    }


def table() -> str:
    """Returns the README's table of what was measured."""
    found = json.loads(RESULTS.read_text())
    lines = markdown_table.head(HEADER)
    for kind in _KINDS:
        if kind == "smaller stored" and _is_stored_again(found["networks"]):
            continue
        for task, networks in found["networks"].items():
            row = networks[kind]
            size = row["file_bytes"]
            if kind == "shared":
                size = found["shared_file_bytes"][task]
            lines.append(
                f"| {kind} | {TITLES[task]} | {row['contender']} "
                f"({row['width']}; {row['seeds']}) | {row['macro_f1']:.3f} | "
                f"{size:,} B | {row['arena_bytes']:,} B |"
            )
        total = found["totals"][kind]
        share = total / found["totals"]["stored"]
        lines.append(
            f"| {kind} | {_KINDS[kind]} | | | {total:,} B, {share:.2f} | |"
        )
    return "\n".join(lines)


def _is_stored_again(networks: dict[str, dict[str, Row]]) -> bool:
    """Returns whether no stored network is smaller than the best."""
    return all(
        kinds["smaller stored"] == kinds["stored"]
        for kinds in networks.values()
    )


def run() -> None:
    """Chooses, shares, adds up, and writes."""
    rows = read_rows()
    chosen = {task: choose(rows, task) for task in TASKS}
    shared = share([chosen[task]["shared"] for task in TASKS])
    totals = {
        kind: sum(chosen[task][kind]["file_bytes"] for task in TASKS)
        + code_bytes([chosen[task][kind] for task in TASKS])
        for kind in ("stored", "smaller stored", "smallest")
    }
    totals["shared"] = (
        sum(shared["shared_file_bytes"].values())
        + shared["generator_bytes"]
        + code_bytes([chosen[task]["shared"] for task in TASKS])
    )
    keys = (
        *("contender", "width", "seeds", "file_bytes", "arena_bytes"),
        *("macro_f1", "val_macro_f1"),
    )
    found = {
        "networks": {
            task: {
                kind: {key: row[key] for key in keys}
                for kind, row in kinds.items()
            }
            for task, kinds in chosen.items()
        },
        **shared,
        "totals": totals,
    }
    write_json(RESULTS, found)


if __name__ == "__main__":
    measured_table.main(__doc__, run, table)
