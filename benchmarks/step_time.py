"""Time of a training step: HyperPointwise against Conv1D, in one process.

    python benchmarks/step_time.py

Prints one JSON object: the median milliseconds of 100 steps after 20 steps of
warm-up, batch 128, for the float and the quantized ECG network, and the ratio
of generated to stored. The two networks take turns, step by step, so that
another load on the machine meets both.
"""

from __future__ import annotations

import json
import sys
import time

from keras_hypertinypw import WeightGenerator, quantize_model  # isort: skip
import numpy as np
import tf_keras as keras

from keras_hypertinypw.models import ecg_network

BATCH_SIZE = 128
WARM_UP = 20
STEPS = 100
INPUT_SHAPE = (256, 3)
NUM_CLASSES = 4


def median_step_times(models: dict[str, keras.Model]) -> dict[str, float]:
    """Returns the median time of a training step of each model, in ms."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH_SIZE, *INPUT_SHAPE)).astype(np.float32)
    y = rng.integers(NUM_CLASSES, size=BATCH_SIZE)
    for model in models.values():
        model.compile(
            "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(WARM_UP + STEPS):
        for name, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(x, y)
            times[name].append(1e3 * (time.perf_counter() - start))
    return {
        name: float(np.median(values[WARM_UP:]))
        for name, values in times.items()
    }


def measure() -> dict[str, dict[str, float]]:
    """Measures the float and the quantized phase."""
    phases = {}
    models = {
        "stored": ecg_network(INPUT_SHAPE, NUM_CLASSES),
        "generated": ecg_network(
            INPUT_SHAPE, NUM_CLASSES, generator=WeightGenerator()
        ),
    }
    for phase in ("float", "quantized"):
        if phase == "quantized":
            models = {name: quantize_model(m) for name, m in models.items()}
        medians = median_step_times(models)
        ratio = medians["generated"] / medians["stored"]
        phases[phase] = {**medians, "ratio": ratio}
    return phases


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(), indent=1) + "\n")
