"""The README's MIT-BIH table, from the result files of `examples/mitdb`.

python benchmarks/mitdb_table.py
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Mapping

import markdown_table

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples/mitdb"
HEADER = (
    "| Pointwise kernels | File | of which pointwise | Arena | "
    "macro-F1, 4 classes | macro-F1, 3 classes | V balanced accuracy | V F1 |"
)
_METRICS = (
    "macro_f1_4_classes",
    "macro_f1_3_classes",
    "v_balanced_accuracy",
    "v_f1",
)
_POINTWISE = ("generator", "heads", "codes", "stored_pointwise")


def table() -> str:
    """Returns the table in Markdown, one line per example file."""
    lines = markdown_table.head(HEADER)
    lines += [_line(name) for name in ("generated", "stored")]
    return "\n".join(lines)


def _line(name: str) -> str:
    result = json.loads((EXAMPLES / f"{name}.json").read_text())
    sizes = result["footprint"]
    pointwise = sum(sizes["by_part"][part] for part in _POINTWISE)
    cells = [
        name,
        f"{sizes['flash_bytes']:,} B",
        f"{pointwise:,} B",
        f"{sizes['arena_bytes']:,} B",
        *(interval(result["test"]["metrics"][metric]) for metric in _METRICS),
    ]
    return "| " + " | ".join(cells) + " |"


def interval(value: Mapping[str, float]) -> str:
    """Returns a score and the ends of its interval as text."""
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
