"""One run: train, convert, verify, evaluate, account; a folder of results."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable
from typing import Any

import tf_keras as keras

from keras_hypertinypw import models, scoring
from keras_hypertinypw.checkpoint import Checkpoint
from keras_hypertinypw.converter import convert_keras_model
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.environment import versions
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.files import write_atomically, write_json
from keras_hypertinypw.footprint import footprint
from keras_hypertinypw.freezing import to_dense_tflite
from keras_hypertinypw.generator import WeightGenerator
from keras_hypertinypw.int4 import pack_int4
from keras_hypertinypw.int4_values import INT4_BITS
from keras_hypertinypw.kernel_errors import synthesis_errors
from keras_hypertinypw.planner import fit_arena
from keras_hypertinypw.progress import stage
from keras_hypertinypw.quantization import quantize_model
from keras_hypertinypw.run_config import RunConfig
from keras_hypertinypw.spec import Residency, Synthesis
from keras_hypertinypw.tasks import TASKS
from keras_hypertinypw.training import Trained, checkpoint_path, train
from keras_hypertinypw.verification import verify


def run(
    config: RunConfig,
    out: pathlib.Path,
    *,
    data_dir: str | None = None,
    download: bool = False,
    command: str,
) -> dict[str, Any]:
    """Trains a network and writes `model.tflite` and `result.json`.

    Interrupted, the same call continues from its checkpoints.

    Args:
        config: What to train.
        out: Folder of the results and of the checkpoints.
        data_dir: Folder of the data set.
        download: Whether to download what is not there.
        command: The command line, for the record.

    Returns:
        What `result.json` holds.
    """
    task = TASKS[config.dataset]
    load: Callable[[str], Windows] = functools.partial(
        task.load, data_dir=data_dir, download=download
    )
    train_windows, validation = load("train"), load("validation")
    trained = train_network(config, train_windows, validation, out)
    data = {
        "input_shape": list(train_windows.x.shape[1:]),
        "num_classes": len(train_windows.classes),
    }
    write_json(out / "config.json", {**dataclasses.asdict(config), **data})
    with stage("Converting"):
        content = config_to_tflite(trained.model, config)
    write_atomically(out / "model.tflite", content)
    result = _measure(content, config, validation, load("test"))
    result = {
        **result,
        "history": trained.history,
        "config": dataclasses.asdict(config),
        "kernel_errors": synthesis_errors(trained.model),
        "command": command,
        "versions": versions(),
    }
    write_json(out / "result.json", result)
    return result


def train_network(
    config: RunConfig,
    train_windows: Windows,
    validation: Windows,
    out: pathlib.Path,
) -> Trained:
    """Trains what a config says; `out / "checkpoints"` keeps how far it is."""
    shape, num_classes = train_windows.x.shape[1:], len(train_windows.classes)
    return train(
        lambda: build_model(config, shape, num_classes),
        train_windows,
        validation,
        schedule=config.schedule,
        checkpoint_dir=out / "checkpoints",
        augment=TASKS[config.dataset].augment,
    )


def build_model(
    config: RunConfig, input_shape: tuple[int, ...], num_classes: int
) -> keras.Model:
    """Returns a run's float model, freshly initialized."""
    generator = None
    if not config.stored:
        generator = WeightGenerator(
            config.hidden_units,
            config.code_dim,
            config.code_bits,
            config.block_size,
            config.use_skip,
            name="generator",
        )
    network = getattr(models, TASKS[config.dataset].network)
    return network(
        input_shape,
        num_classes,
        width=config.width,
        generator=generator,
        keep_first=not config.generate_first,
        per_channel=config.per_channel,
    )


def to_tflite(
    model: keras.Model,
    *,
    stored: bool,
    kernel_bits: int = 8,
    residency: Residency = "cached",
    synthesis: Synthesis = "lazy",
    arena_budget: int | None = None,
    verify: bool = True,
) -> bytes:
    """Converts a trained quantized model, generated or stored.

    With `kernel_bits` 4 the stored kernels are packed, and the budget is one
    for packed kernels. `verify` is that of `convert_keras_model`.
    """
    if stored and arena_budget is not None:
        raise ConversionError(
            "Expected generated kernels, to choose which ones stay in the "
            f"arena. Received: arena_budget={arena_budget} and a network that "
            "stores every kernel. Leave the budget out."
        )
    is_packed = kernel_bits == INT4_BITS
    if stored:
        content = to_dense_tflite(model)
    else:
        content = convert_keras_model(
            model,
            residency=residency,
            synthesis=synthesis,
            arena_budget=None if is_packed else arena_budget,
            verify=verify,
        )
    if is_packed:
        content = pack_int4(content)
        if arena_budget is not None:
            content = fit_arena(content, arena_budget)
    return content


def config_to_tflite(
    model: keras.Model, config: RunConfig, *, verify: bool = True
) -> bytes:
    """Converts the model of a config; `verify` as in `to_tflite`."""
    return to_tflite(
        model,
        stored=config.stored,
        kernel_bits=config.schedule.kernel_bits,
        verify=verify,
    )


def load_quantized(out: pathlib.Path) -> tuple[keras.Model, RunConfig]:
    """Rebuilds the trained model of a run's folder.

    Raises:
        ConversionError: If the folder holds no finished training.
    """
    config_path = out / "config.json"
    weights_path = checkpoint_path(out / "checkpoints", "quantized")
    if not config_path.exists() or not weights_path.exists():
        raise ConversionError(
            f"Expected the folder of a finished `hypertinypw train`, with "
            f"config.json and checkpoints. Received: '{out}'. Let the "
            "training finish first."
        )
    try:
        values = json.loads(config_path.read_text())
        shape = tuple(values.pop("input_shape"))
        num_classes = values.pop("num_classes")
        config = RunConfig.from_dict(values)
        float_model = build_model(config, shape, num_classes)
    except (ValueError, KeyError, TypeError) as error:
        raise ConversionError(
            f"Expected '{config_path}' as `hypertinypw train` wrote it. "
            f"Received: {error!r}. Train again."
        ) from error
    model = quantize_model(
        float_model,
        kernel_bits=config.schedule.kernel_bits,
        kernel_per_channel=config.schedule.kernel_per_channel,
    )
    model.set_weights(Checkpoint.load(weights_path).best)
    return model, config


def _measure(
    content: bytes,
    config: RunConfig,
    validation: Windows,
    test: Windows,
) -> dict[str, Any]:
    """Scores the file itself in TFLM, and counts its bytes."""
    task = TASKS[config.dataset]
    evaluation = scoring.evaluate(content, validation, test, task=task)
    sizes = footprint(content, arena_bytes=evaluation.arena_bytes)
    result: dict[str, Any] = {
        "test": evaluation.scores.to_dict(),
        "details": evaluation.details.to_dict(),
        "footprint": sizes.to_dict(),
        "seed": config.schedule.seed,
    }
    if not config.stored:
        result["verification"] = dataclasses.asdict(verify(content))
    return result
