"""One run: train, convert, verify, evaluate, account; a folder of results."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import tf_keras as keras
from tqdm import tqdm

from keras_hypertinypw.converter import convert_keras_model
from keras_hypertinypw.datasets import mitdb, synthetic
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.evaluation import beats
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.footprint import footprint
from keras_hypertinypw.freezing import to_dense_tflite
from keras_hypertinypw.generator import WeightGenerator
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.models import ecg_network
from keras_hypertinypw.progress import stage
from keras_hypertinypw.quantization import quantize_model
from keras_hypertinypw.training import Schedule, train
from keras_hypertinypw.verification import verify
from keras_hypertinypw.version import __version__

DATASETS: dict[str, ModuleType] = {"mitdb": mitdb, "synthetic": synthetic}
# Beats for each message to the interpreter, so that progress shows.
_CHUNK = 512


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's result.

    Attributes:
        dataset: Name of the data set, one of `DATASETS`.
        stored: Whether every pointwise kernel is stored, not generated.
        width: Channels of the network.
        hidden_units: Of the generator.
        code_dim: Of the generator.
        code_bits: Of the generator.
        block_size: Of the generator.
        use_skip: Of the generator.
        schedule: Epochs, rates and seed.
    """

    dataset: str = "mitdb"
    stored: bool = False
    width: int = 64
    hidden_units: tuple[int, ...] = (16,)
    code_dim: int = 8
    code_bits: int = 8
    block_size: int = 64
    use_skip: bool = False
    schedule: Schedule = Schedule()

    def build_model(self, input_shape: tuple[int, ...]) -> keras.Model:
        """Returns the float model, freshly initialized."""
        generator = None
        if not self.stored:
            generator = WeightGenerator(
                self.hidden_units,
                self.code_dim,
                self.code_bits,
                self.block_size,
                self.use_skip,
                name="generator",
            )
        return ecg_network(
            input_shape,
            len(beats.CLASSES),
            width=self.width,
            generator=generator,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Inverts `dataclasses.asdict`."""
        values = dict(values)
        values["schedule"] = Schedule(**values["schedule"])
        values["hidden_units"] = tuple(values["hidden_units"])
        return cls(**values)


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
    load: Callable[[str], Windows] = functools.partial(
        DATASETS[config.dataset].load, data_dir=data_dir, download=download
    )
    train_windows, validation = load("train"), load("validation")
    shape = train_windows.x.shape[1:]
    trained = train(
        lambda: config.build_model(shape),
        train_windows,
        validation,
        schedule=config.schedule,
        checkpoint_dir=out / "checkpoints",
    )
    write_atomically(
        out / "config.json",
        _to_json({**dataclasses.asdict(config), "input_shape": list(shape)}),
    )
    with stage("Converting"):
        content = to_tflite(trained.model, stored=config.stored)
    write_atomically(out / "model.tflite", content)
    result = _measure(content, config, validation, load("test"))
    result = {
        **result,
        "history": trained.history,
        "config": dataclasses.asdict(config),
        "command": command,
        "version": __version__,
    }
    write_atomically(out / "result.json", _to_json(result))
    return result


def to_tflite(model: keras.Model, *, stored: bool) -> bytes:
    """Converts a trained quantized model, generated or stored."""
    return to_dense_tflite(model) if stored else convert_keras_model(model)


def load_quantized(out: pathlib.Path) -> tuple[keras.Model, RunConfig]:
    """Rebuilds the trained model of a run's folder.

    Raises:
        ConversionError: If the folder holds no finished training.
    """
    config_path = out / "config.json"
    weights_path = out / "checkpoints" / "quantized" / "best.weights.h5"
    if not config_path.exists() or not weights_path.exists():
        raise ConversionError(
            f"Expected the folder of a finished `hypertinypw train`, with "
            f"config.json and checkpoints. Received: '{out}'. Let the "
            "training finish first."
        )
    values = json.loads(config_path.read_text())
    shape = tuple(values.pop("input_shape"))
    config = RunConfig.from_dict(values)
    model = quantize_model(config.build_model(shape))
    model.load_weights(weights_path)
    return model, config


def _measure(
    content: bytes,
    config: RunConfig,
    validation: Windows,
    test: Windows,
) -> dict[str, Any]:
    """Scores the file itself in TFLM, and counts its bytes."""
    scores, arena_bytes = evaluate(content, validation, test)
    sizes = footprint(content, arena_bytes=arena_bytes)
    result: dict[str, Any] = {
        "test": scores.to_dict(),
        "footprint": sizes.to_dict(),
        "seed": config.schedule.seed,
    }
    if not config.stored:
        result["verification"] = dataclasses.asdict(verify(content))
    return result


def evaluate(
    content: bytes, validation: Windows, test: Windows
) -> tuple[beats.BeatScores, int]:
    """Scores a `.tflite` in TFLM; t* comes from the validation beats.

    Returns:
        The scores on `test`, and the arena that TFLM uses, in bytes.
    """
    with Interpreter(content) as interpreter:
        threshold = beats.tune_v_threshold(
            validation.y, _predict(interpreter, validation.x, "validation")
        )
        logits = _predict(interpreter, test.x, "test")
        arena_bytes = interpreter.arena_used_bytes or 0
    scores = beats.score_beats(test.y, logits, test.groups, threshold=threshold)
    return scores, arena_bytes


def _predict(interpreter: Interpreter, x: np.ndarray, name: str) -> np.ndarray:
    chunks = []
    with tqdm(total=len(x), desc=f"TFLM, {name}", unit="beat") as bar:
        for start in range(0, len(x), _CHUNK):
            chunks.append(interpreter.predict(x[start : start + _CHUNK]))
            bar.update(len(chunks[-1]))
    return np.concatenate(chunks)


def _to_json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
