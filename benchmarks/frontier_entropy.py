"""What entropy coding could save at the most, of trained stored files.

    python benchmarks/frontier_entropy.py

For the files that `frontier.py` left in `build/frontier/`: the order-0
entropy of every stored kernel, and of the codes of generated ones. An ideal
coder with a table and a decoder of no bytes would reach it; a real one needs
an op of its own in the firmware, as generation does. Writes
`results/frontier_entropy.json`, where rows of files that are gone stay, and
prints a table.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import frontier
import markdown_table
import numpy as np
from frontier_contenders import CONTENDERS
from frontier_rows import TITLES, read_rows

from keras_hypertinypw.files import write_json
from keras_hypertinypw.flatbuffer import read_model, tensor_data
from keras_hypertinypw.int4_kernels import find_kernels
from keras_hypertinypw.op_insertion import read_specs

RESULTS = pathlib.Path(__file__).parent / "results" / "frontier_entropy.json"
HEADER = (
    "| Task | Kernels | Budget | Bits a weight | Ideal | Saved at the most |"
)
_BITS = {"stored_int8": 8, "int4": 4, "gen_1": 1, "gen_2_least": 2}
_CONTENDERS = tuple(_BITS)
_KEYS = ("task", "contender", "budget_kb")


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in _KEYS)


def entropy(values: np.ndarray) -> float:
    """Returns bits a value, as a coder that knows the histogram needs."""
    _, counts = np.unique(values, return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def measure(row: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the bits of a file's kernels or codes, stored and ideal.

    None if the file is gone.
    """
    name = row["contender"]
    folder = frontier.folder(row["task"], name, row["width"], row["seed"])
    path = folder / "model.tflite"
    if not path.exists():
        return None
    content = CONTENDERS[name].shrink(path.read_bytes())
    if CONTENDERS[name].needs_op:
        arrays = [spec.codes for spec in read_specs(content)]
    else:
        model = read_model(content)
        arrays = [
            tensor_data(model, kernel.tensor)
            for kernel in find_kernels(model).values()
        ]
    sizes = np.array([array.size for array in arrays])
    ideal = np.array([entropy(array) for array in arrays])
    weights = int(sizes.sum())
    bits = float(sizes @ ideal) / weights
    return {
        **{key: row[key] for key in _KEYS},
        "file_bytes": len(content),
        "weights": weights,
        "bits": _BITS[name],
        "ideal_bits": bits,
        "saved_bytes": int(weights * (_BITS[name] - bits) / 8),
    }


def table(found: list[dict[str, Any]]) -> str:
    """Returns the table in Markdown."""
    lines = markdown_table.head(HEADER)
    for row in found:
        budget = row["budget_kb"]
        share = row["saved_bytes"] / row["file_bytes"]
        lines.append(
            f"| {TITLES[row['task']]} | {row['contender']} | "
            f"{f'{budget} kB' if budget else 'given network'} | "
            f"{row['bits']} | {row['ideal_bits']:.2f} | "
            f"{row['saved_bytes']:,} B, {share:.1%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures, writes and prints."""
    order = list(TITLES)
    rows = [
        row
        for row in read_rows()
        if row["contender"] in _CONTENDERS
        and row["seed"] == 0
        and row["task"] != "mitdb_v"  # The network of "mitdb".
    ]
    rows.sort(
        key=lambda row: (
            order.index(row["task"]),
            _CONTENDERS.index(row["contender"]),
            row["budget_kb"] or 0,
        )
    )
    earlier = {_place(row): row for row in json.loads(RESULTS.read_text())}
    measured = (measure(row) or earlier.get(_place(row)) for row in rows)
    found = [row for row in measured if row is not None]
    write_json(RESULTS, found)
    sys.stdout.write(table(found) + "\n")


if __name__ == "__main__":
    main()
