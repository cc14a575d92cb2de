"""What four bits cost the stored network of `examples/mitdb`.

    python benchmarks/int4_mitdb.py --data_dir=../shared/data/mitdb

Packs some or all of its kernels, without any training, and scores each file
on the test patients in TFLM; t* is tuned on the validation patients for each.
Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import sys

import markdown_table
from mitdb_table import EXAMPLES, interval

from keras_hypertinypw import pack_int4
from keras_hypertinypw.datasets import mitdb
from keras_hypertinypw.scoring import evaluate
from keras_hypertinypw.tasks import TASKS

POINTWISE = [f"pointwise_{index}" for index in range(4)]
DEPTHWISE = [f"depthwise_{index}" for index in range(4)]
# None is no packing.
ROWS: dict[str, list[str] | None] = {
    "none": None,
    "pointwise": POINTWISE,
    "all but depthwise": [*POINTWISE, "stem", "logits"],
    "all": [*POINTWISE, *DEPTHWISE, "stem", "logits"],
}
METRICS = ("macro_f1_4_classes", "macro_f1_3_classes", "v_balanced_accuracy")
HEADER = (
    "| Kernels in four bits | File | macro-F1, 4 classes | "
    "macro-F1, 3 classes | V balanced accuracy |"
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", help="folder of the MIT-BIH records")
    options = parser.parse_args()
    validation, test = (
        mitdb.load(split, data_dir=options.data_dir)
        for split in ("validation", "test")
    )
    before = (EXAMPLES / "stored.tflite").read_bytes()
    lines = markdown_table.head(HEADER)
    for name, layers in ROWS.items():
        content = before if layers is None else pack_int4(before, layers=layers)
        found = evaluate(content, validation, test, task=TASKS["mitdb"])
        metrics = found.scores.metrics
        cells = [interval(metrics[metric]) for metric in METRICS]
        lines.append(f"| {name} | {len(content):,} B | {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
