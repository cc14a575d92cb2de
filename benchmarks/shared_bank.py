"""What a larger generator is worth that several networks share.

    python benchmarks/shared_bank.py

Trains `gen_2_bare` of 8 kB once more (seed 0), at the channels that it has
there, around a generator of twenty times the bytes, the bank: on 40 words
together with that network, and then, as it is, with the networks of nine words
and of beats, which learn their codes and stored layers for it. On 40 words a
random bank, which a seed could stand for, takes its place once more. Codes have
as many bits a weight as before. Then the bank is taken out of the three files,
and outputs in TFLM stay what they are. Resumable; of the scores only those of
the validation split are read. Writes `results/shared_bank.json`.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import frontier
import frontier_training
import markdown_table
import measured_table
from frontier_contenders import CONTENDERS, Contender
from frontier_rows import TITLES, read_rows
from frontier_tasks import TASKS

from keras_hypertinypw import WeightGenerator, share_generator  # isort: skip
import numpy as np
import tf_keras as keras

from keras_hypertinypw.files import write_json
from keras_hypertinypw.progress import stage
from keras_hypertinypw.quantization import find_generators

RESULTS = pathlib.Path(__file__).parent / "results" / "shared_bank.json"
HEADER = "| Generator | Task | Channels | File | macro-F1, validation |"
_NAME, _BUDGET_KB, _SEED = "gen_2_bare", 8, 0
_TEACHER = "arabic_40"
_LEARNERS = ("speech_v1", "mitdb")
_OWN, _SHARED = "its own, small", "shared bank"
_BANK = {"hidden_units": (64,), "code_dim": 32, "block_size": 32}
Row = dict[str, Any]


def around_bank(weights: list[np.ndarray] | None) -> Contender:
    """Returns the contender around the bank.

    Args:
        weights: What the bank is fixed to; None for one that learns.
    """

    def fix(model: keras.Model) -> keras.Model:
        (bank,) = find_generators(model)
        bank.set_weights(weights)
        bank.trainable = False
        return model

    return dataclasses.replace(
        CONTENDERS[_NAME],
        generator=lambda width: WeightGenerator(
            **_BANK, code_bits=2, name="generator"
        ),
        rewrite=None if weights is None else fix,
    )


def random_bank() -> list[np.ndarray]:
    """Returns the weights of a bank that nothing was trained with."""
    keras.utils.set_random_seed(_SEED)
    bank = around_bank(None).generator(1)
    bank.build((None, _BANK["code_dim"]))
    return bank.get_weights()


def own_row(task: str) -> Row:
    """Returns the row of the network with a small generator of its own.

    Raises:
        LookupError: If it was not trained.
    """
    place = {
        "task": task,
        "contender": _NAME,
        "budget_kb": _BUDGET_KB,
        "seed": _SEED,
    }
    for row in read_rows():
        if place.items() <= row.items():
            return row
    raise LookupError(
        f"Expected a row of {place}. Received: none. Train it first, with "
        f"`python benchmarks/frontier.py --only='^{task} {_NAME} "
        f"{_BUDGET_KB}kB {_SEED}$'`."
    )


def measure(task: str, name: str, contender: Contender) -> Row:
    """Trains a network around the bank, and returns its line.

    Args:
        task: A key of `TASKS`.
        name: Of the folder that keeps the training.
        contender: What to train.
    """
    width = own_row(task)["width"]
    folder = frontier.folder(task, name, width, _SEED)
    scores = frontier_training.run(
        task,
        TASKS[task],
        contender,
        width,
        _SEED,
        frontier.load(task),
        folder,
    )
    content = contender.shrink((folder / "model.tflite").read_bytes())
    return {
        "width": width,
        "file_bytes": len(content),
        "val_macro_f1": scores[task]["val_macro_f1"],
        "content": content,
    }


def trained_bank(name: str) -> list[np.ndarray]:
    """Returns the bank that learned together with the network of 40 words.

    Args:
        name: Of the folder that keeps the training.
    """
    width = own_row(_TEACHER)["width"]
    model = frontier_training.train_network(
        TASKS[_TEACHER],
        around_bank(None),
        width,
        _SEED,
        frontier.load(_TEACHER),
        frontier.folder(_TEACHER, name, width, _SEED),
    )
    (bank,) = find_generators(model)
    return bank.get_weights()


def table() -> str:
    """Returns the table of what was measured, in Markdown."""
    found = json.loads(RESULTS.read_text())
    lines = markdown_table.head(HEADER)
    for kind, rows in found["networks"].items():
        lines += [
            f"| {kind} | {TITLES[task]} | {row['width']} | "
            f"{row['file_bytes']:,} B | {row['val_macro_f1']:.3f} |"
            for task, row in rows.items()
        ]
    alone = sum(row["file_bytes"] for row in found["networks"][_OWN].values())
    lines += [
        f"| {_OWN} | all | | {alone:,} B | |",
        f"| {_SHARED}, {found['bank_bytes']:,} B | all, and the bank once | | "
        f"{found['shared_bytes']:,} B | |",
    ]
    return "\n".join(lines)


def run() -> None:
    """Measures, shares, and writes."""
    keys = ("width", "file_bytes", "val_macro_f1")
    tasks = (_TEACHER, *_LEARNERS)
    own = {task: {key: own_row(task)[key] for key in keys} for task in tasks}
    teacher = measure(_TEACHER, "bank", around_bank(None))
    weights = trained_bank("bank")
    shared = {_TEACHER: teacher} | {
        task: measure(task, "bank_fixed", around_bank(weights))
        for task in _LEARNERS
    }
    random = measure(_TEACHER, "bank_random", around_bank(random_bank()))
    with stage("Sharing the bank"):
        firmware = share_generator([row["content"] for row in shared.values()])
    networks = {
        _OWN: own,
        _SHARED: shared,
        "random bank": {_TEACHER: random},
    }
    write_json(
        RESULTS,
        {
            "networks": {
                kind: {
                    task: {key: row[key] for key in keys}
                    for task, row in rows.items()
                }
                for kind, rows in networks.items()
            },
            "bank_bytes": len(firmware.generator),
            "shared_bytes": firmware.num_bytes,
        },
    )


if __name__ == "__main__":
    measured_table.main(__doc__, run, table)
