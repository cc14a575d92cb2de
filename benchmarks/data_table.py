"""The README's table of other data, from the result files of `examples/`.

python benchmarks/data_table.py
"""

from __future__ import annotations

import json
import sys

from mitdb_table import EXAMPLES, interval

TITLES = {
    "apnea_rr": "Apnea-ECG, RR intervals",
    "speech_v1": "Speech Commands v1, 9 words",
}
_METRICS = ("accuracy", "macro_f1", "sensitivity", "specificity")


def table() -> str:
    """Returns the table in Markdown, two lines for each data set."""
    lines = [
        "| Data | Pointwise kernels | File | Arena | accuracy | macro-F1 | "
        "sensitivity at t* | specificity at t* |",
        "|" + " --- |" * 8,
    ]
    lines += [
        _line(dataset, name)
        for dataset in TITLES
        for name in ("generated", "stored")
    ]
    return "\n".join(lines)


def _line(dataset: str, name: str) -> str:
    path = EXAMPLES.parent / dataset / f"{name}.json"
    result = json.loads(path.read_text())
    sizes, metrics = result["footprint"], result["test"]["metrics"]
    cells = [
        TITLES[dataset],
        name,
        f"{sizes['flash_bytes']:,} B",
        f"{sizes['arena_bytes']:,} B",
        *(interval(metrics[m]) if m in metrics else "" for m in _METRICS),
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
