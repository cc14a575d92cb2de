"""Flash, arena and instructions of three networks on a Cortex-M4.

    python benchmarks/device.py

Writes `benchmarks/results/device.json` and the table `benchmarks/device.md`.
Arenas are TFLM's own figure on x86-64 and the prediction for a Cortex-M4.
Instructions are counted on the emulated board, layer by layer, with
CMSIS-NN's kernels: sums over layers, without the interpreter around them.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import device_networks  # isort: skip  Before tensorflow.
import board_network
import board_synthesis

from keras_hypertinypw import ConversionError, Interpreter, materialize
from keras_hypertinypw.arena import predict_arena
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.op_options import set_residencies
from keras_hypertinypw.planner import plan_residency, smallest_budget
from keras_hypertinypw.progress import stage

FOLDER = pathlib.Path(__file__).resolve().parent
RESULTS = FOLDER / "results" / "device.json"
TABLE = FOLDER / "device.md"
BUDGETS = (64, 128, 192)  # In kB of 1,024 B.
_COLUMNS = {
    "flash_bytes": "File, B",
    "host_arena_bytes": "Arena x86-64, B",
    "board_arena_bytes": "Arena Cortex-M4, B",
    "synthesis": "Synthesis",
    "first": "First inference",
    "steady": "Every later one",
}


def measure(program: pathlib.Path, content: bytes) -> dict[str, int]:
    """Returns the figures of one file."""
    counted = board_network.count(program, content)
    with Interpreter(content) as interpreter:
        host = interpreter.arena_used_bytes or 0
    return {
        "flash_bytes": len(content),
        "host_arena_bytes": host,
        "board_arena_bytes": predict_arena(content, "board").used_bytes,
        "synthesis": counted.synthesis,
        "first": counted.invocation(0),
        "steady": counted.invocation(2),
    }


def variants(
    program: pathlib.Path, content: bytes
) -> dict[str, dict[str, Any]]:
    """Returns the figures of a network, stored and generated, by variant."""
    count = len(read_specs(content))
    per_invoke = set_residencies(content, ["per_invoke"] * count)
    found: dict[str, dict[str, Any]] = {
        "stored": dict(measure(program, materialize(content))),
        "cached": dict(measure(program, content)),
        "per_invoke": dict(measure(program, per_invoke)),
    }
    for budget in BUDGETS:
        name = f"planned, {budget} kB"
        try:
            choice = plan_residency(content, budget * 1024)
        except ConversionError:
            found[name] = {"smallest_budget": smallest_budget(content)}
            continue
        planned = set_residencies(content, choice)
        found[name] = {
            **measure(program, planned),
            "num_cached": choice.count("cached"),
        }
    return found


def table(record: dict[str, Any]) -> str:
    """Returns the figures in Markdown."""
    header = ["Network", "Kernels", *_COLUMNS.values()]
    lines = [
        "# On a Cortex-M4",
        "",
        "Written by `python benchmarks/device.py`. The last three columns are "
        "instructions, counted on an emulated Cortex-M4 with CMSIS-NN's "
        "kernels; an inference is the sum over its layers. ds_cnn and "
        "mobilenet are not trained, which changes none of these figures. One "
        "multiply-accumulate of the generator takes "
        f"{record['instructions_per_generator_mac']} instructions.",
        "",
        f"| {' | '.join(header)} |",
        "|" + " --- |" * len(header),
    ]
    for network, rows in record["networks"].items():
        for name, figures in rows.items():
            cells = [f"{figures[key]:,}" for key in _COLUMNS if key in figures]
            if "smallest_budget" in figures:
                needed = (
                    f"impossible: at least {figures['smallest_budget']:,} B"
                )
                cells = ["", needed, *[""] * (len(_COLUMNS) - 2)]
            lines.append(f"| {network} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, and writes both files."""
    with stage("Converting the networks"):
        networks = device_networks.networks()
    with stage("Running on the board"), board_network.built() as program:
        found = {
            network: variants(program, content)
            for network, content in networks.items()
        }
        spec = board_synthesis.reference_spec()
        ((_, instructions),) = board_synthesis.count(
            board_synthesis.build(program.with_name("synthesis.elf")), [spec]
        )
    amount = board_synthesis.multiply_accumulates(spec)
    record = {
        "instructions_per_generator_mac": float(f"{instructions / amount:.3f}"),
        "networks": found,
    }
    text = json.dumps(record, indent=1) + "\n"
    write_atomically(RESULTS, text.encode())
    write_atomically(TABLE, table(record).encode())
    sys.stdout.write(table(record))


if __name__ == "__main__":
    main()
