"""What a deployed network gains from new codes alone, and what they take.

    python benchmarks/codes_update.py

The 40 Arabic words are first learnt from every second training speaker, with
the network and the schedule of `frontier.py`: what a firmware was shipped
with. Then the other half of the speakers is there, and only the codes go on
training, on all of them, twice as long as the quantized phase. The update is
`make_patch` of the two slimmed files. Both run in TFLM. Writes
`results/codes_update.json`, and prints the README's table: beside them are the
networks of `results/frontier.jsonl`, which learnt from all speakers at once.
Resumable; `--table_only` prints what an earlier run wrote.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import frontier
import frontier_tasks
import frontier_training
import markdown_table
import measured_table
from frontier_contenders import CONTENDERS
from frontier_rows import read_rows

from keras_hypertinypw import verify
from keras_hypertinypw.training import train, train_codes

import numpy as np  # isort: skip
import tf_keras as keras

from keras_hypertinypw.datasets.windows import Windows, select
from keras_hypertinypw.files import write_json
from keras_hypertinypw.freezing import to_dense_tflite
from keras_hypertinypw.patches import apply_patch, make_patch

TASK, CONTENDER, SEED = "arabic_40", "gen_1", 0
RESULTS = pathlib.Path(__file__).parent / "results" / "codes_update.json"
WORK = frontier.ROOT / "build" / "codes_update"
HEADER = "| Network | Speakers learnt from | Macro-F1 | Bytes to send |"
_LONGER = 2  # Times the quantized phase: codes alone learn slower.


def half_of_speakers(windows: Windows) -> Windows:
    """Returns the windows of every second group."""
    chosen = np.isin(windows.groups, np.unique(windows.groups)[::2])
    return select(windows, chosen)


def measure(
    model: keras.Model, data: dict[str, Windows]
) -> tuple[bytes, dict[str, Any]]:
    """Returns the slimmed file of a network, and its scores."""
    dense = to_dense_tflite(model)
    _, scores = frontier_training.score(TASK, dense, data)
    contender = CONTENDERS[CONTENDER]
    content = contender.shrink(contender.convert(model))
    result = verify(content)
    if not result.identical:
        raise RuntimeError("Expected TFLM's outputs to be LiteRT's.")
    return content, scores[TASK]


def run() -> None:
    """Trains both, measures, and writes."""
    task, contender = frontier_tasks.TASKS[TASK], CONTENDERS[CONTENDER]
    data = frontier.load(TASK)
    half = half_of_speakers(data["train"])
    schedule = dataclasses.replace(
        task.schedule, seed=SEED, kernel_bits=contender.kernel_bits
    )
    shape, classes = half.x.shape[1:], half.classes

    def build() -> keras.Model:
        return contender.build(
            task.network, shape, len(classes), task.given_width
        )

    model = train(
        build,
        half,
        data["validation"],
        schedule=schedule,
        checkpoint_dir=WORK / "deployed",
        augment=task.augment,
    ).model
    deployed, before = measure(model, data)
    longer = dataclasses.replace(
        schedule, quantized_epochs=_LONGER * schedule.quantized_epochs
    )
    train_codes(
        model,
        data["train"],
        data["validation"],
        schedule=longer,
        checkpoint_dir=WORK / "updated",
        augment=task.augment,
    )
    updated, after = measure(model, data)
    patch = make_patch(deployed, updated)
    if apply_patch(deployed, patch) != updated:
        raise RuntimeError("Expected the patch to make the updated file.")
    write_json(
        RESULTS,
        {
            "speakers": len(np.unique(data["train"].groups)),
            "speakers_deployed": len(np.unique(half.groups)),
            "file_bytes": len(updated),
            "patch_bytes": len(patch),
            "deployed": before,
            "updated": after,
        },
    )


def table() -> str:
    """Returns the README's table of what was measured."""
    found = json.loads(RESULTS.read_text())
    half, all_of_them = found["speakers_deployed"], found["speakers"]
    lines = [
        ("deployed", half, found["deployed"], found["file_bytes"]),
        ("its codes updated", all_of_them, found["updated"], None),
    ]
    lines += [
        (f"{row['contender']}, trained anew", all_of_them, row, None)
        for row in read_rows()
        if (row["task"], row["budget_kb"], row["seed"]) == (TASK, None, SEED)
        and row["contender"] in (CONTENDER, "int4", "stored_int8")
    ]
    rows = markdown_table.head(HEADER)
    for name, speakers, scores, size in lines:
        sent = size or scores.get("file_bytes", found["patch_bytes"])
        rows.append(
            f"| {name} | {speakers} | {scores['macro_f1']:.3f} | {sent:,} B |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    measured_table.main(__doc__, run, table)
