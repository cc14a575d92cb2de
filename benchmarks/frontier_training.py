"""One network of the frontier: trained, converted, scored; resumable."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import subprocess
from collections.abc import Mapping
from typing import Any

import frontier_tasks
from frontier_contenders import Contender
from frontier_tasks import Task

from keras_hypertinypw.training import train  # isort: skip
import numpy as np
import tf_keras as keras
from ai_edge_litert import interpreter as litert
from tqdm import tqdm

from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.files import write_atomically, write_json
from keras_hypertinypw.interpreter import Interpreter

_CODE_RECIPE = 3  # "How codes learn" in `frontier.md`.
_COMPARED = 64  # Windows.


def run(
    name: str,
    task: Task,
    contender: Contender,
    width: int,
    seed: int,
    data: Mapping[str, Windows],
    folder: pathlib.Path,
) -> dict[str, Any]:
    """Trains a network, or reads what an earlier run left.

    Args:
        name: Of the task, a key of `TASKS`.
        task: What to train for.
        contender: What to train.
        width: Channels of the network.
        seed: Of training.
        data: Windows by split.
        folder: Keeps `origin.json`, what `read_origin` returns, checkpoints,
            `model.tflite`, `logits.npz` and, written last, `scores.json`.

    Returns:
        Scores by the task of a row, see `frontier_tasks.scores`.
    """
    path = folder / "scores.json"
    if path.exists():
        return json.loads(path.read_text())
    origin = folder / "origin.json"
    if not origin.exists():
        recipe = _CODE_RECIPE if contender.has_codes else None
        write_json(origin, {"code_recipe": recipe, "commit": commit()})
    model = train_network(task, contender, width, seed, data, folder)
    test = data["test"]
    dense = contender.dense(model)
    content = contender.convert(model)
    _require_equal(content, dense, test.x[:: len(test) // _COMPARED])
    logits, result = score(name, dense, data)
    write_atomically(folder / "dense.tflite", dense)
    write_atomically(folder / "model.tflite", content)
    np.savez_compressed(folder / "logits.npz", **logits)
    write_json(path, result)
    return result


def train_network(
    task: Task,
    contender: Contender,
    width: int,
    seed: int,
    data: Mapping[str, Windows],
    folder: pathlib.Path,
) -> keras.Model:
    """Trains a network, or goes on; the arguments are those of `run`.

    Returns:
        The quantized model with the weights of its best epoch.
    """
    windows, validation = data["train"], data["validation"]
    schedule = dataclasses.replace(
        task.schedule,
        seed=seed,
        kernel_bits=contender.kernel_bits,
        kernel_per_channel=contender.kernel_per_channel,
    )
    trained = train(
        lambda: contender.build(
            task.network, windows.x.shape[1:], len(windows.classes), width
        ),
        windows,
        validation,
        schedule=schedule,
        checkpoint_dir=folder / "checkpoints",
        augment=task.augment,
    )
    return trained.model


def read_origin(folder: pathlib.Path) -> dict[str, Any]:
    """Returns by which commit, and how codes learn there, a training began.

    Raises:
        RuntimeError: If the folder is of before that was kept.
    """
    path = folder / "origin.json"
    if not path.exists():
        raise RuntimeError(
            f"{folder}: expected origin.json, which says by which commit a "
            "network was trained. Received: none. Remove the folder, to train "
            "it again."
        )
    return json.loads(path.read_text())


@functools.lru_cache(maxsize=1)  # What runs stays what was loaded.
def commit() -> str:
    """Returns the short hash of the commit that is checked out."""
    root = pathlib.Path(__file__).parent
    output = subprocess.check_output(
        ["git", "rev-parse", "--short", "HEAD"], text=True, cwd=root
    )
    return output.strip()


def score(
    name: str, dense: bytes, data: Mapping[str, Windows]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Returns logits by split, and scores by the task of a row.

    Args:
        name: Of the task, a key of `TASKS`.
        dense: An int8 `.tflite` without custom ops.
        data: Windows by split.
    """
    validation, test = data["validation"], data["test"]
    logits = {
        "validation": predict(dense, validation.x),
        "test": predict(dense, test.x),
    }
    decided = frontier_tasks.decide(
        name, validation, logits["validation"], test, logits["test"]
    )
    return logits, {
        row_task: frontier_tasks.scores(found, test.groups)
        for row_task, found in decided.items()
    }


def _require_equal(content: bytes, dense: bytes, x: np.ndarray) -> None:
    """Checks that the file is the network that is scored.

    Raises:
        RuntimeError: If TFLM and LiteRT's reference kernels differ.
    """
    with (
        Interpreter(content) as tflm,
        Interpreter(dense, runtime="litert") as litert_reference,
    ):
        inputs = tflm.quantize(x)
        same = tflm.predict(inputs) == litert_reference.predict(inputs)
    if not same.all():
        raise RuntimeError(
            "Expected the file's outputs to be the dense model's. Received: "
            f"{np.sum(~same)} of {same.size} different."
        )


def predict(dense: bytes, x: np.ndarray) -> np.ndarray:
    """Returns logits of an int8 `.tflite` without custom ops.

    LiteRT's optimized kernels take a fraction of the reference kernels' time;
    now and then an output differs from TFLM's by a step.
    """
    resolver = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = litert.Interpreter(
        model_content=dense, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    sink = interpreter.get_output_details()[0]
    scale, zero_point = source["quantization"]
    steps = np.floor(x.astype(np.float64) / scale + 0.5) + zero_point
    steps = np.clip(steps, -128, 127).astype(np.int8)
    rows = np.empty((len(x), sink["shape"][-1]), np.int32)
    for index, window in enumerate(tqdm(steps, desc="LiteRT", leave=False)):
        interpreter.set_tensor(source["index"], window[np.newaxis])
        interpreter.invoke()
        rows[index] = interpreter.get_tensor(sink["index"])
    scale, zero_point = sink["quantization"]
    return (rows - zero_point) * scale
