"""Results of runs that never ran, to lay out as pages."""

import dataclasses
import json

import numpy as np

from keras_hypertinypw import environment, tasks
from keras_hypertinypw.evaluation import (
    beat_details,
    beats,
    class_details,
    class_scores,
)
from keras_hypertinypw.footprint import PARTS
from keras_hypertinypw.run_config import RunConfig
from keras_hypertinypw.verification import Verification


def make_result(*, num_patients=22, num_epochs=4, error_rate=0.2, seed=0):
    """Returns what `result.json` of a generated network could hold."""
    records = [
        {"loss": 1 / epoch, "validation_macro_f1": 0.5 + 0.01 * epoch}
        for epoch in range(1, num_epochs + 1)
    ]
    names = ("pointwise_1", "pointwise_2")
    verification = Verification(
        identical=True,
        num_inputs=103,
        num_values=1236,
        num_distinct=160,
        num_differences=0,
        max_difference=0,
        num_kernels=len(names),
        different_kernels=(),
        arena_bytes=20000,
        generate_counts=dict.fromkeys(names, 1),
    )
    result = {
        **make_scores(num_patients, error_rate, np.random.default_rng(seed)),
        "footprint": {
            "flash_bytes": 1000 * len(PARTS),
            "by_part": dict.fromkeys(PARTS, 1000),
            "by_tensor": {f"tensor_{i}": 10 * i for i in range(20)},
            "cached_kernel_bytes": 4096,
            "arena_bytes": 20000,
        },
        "verification": dataclasses.asdict(verification),
        "history": {"float": records, "quantized": records},
        "config": dataclasses.asdict(RunConfig()),
        "kernel_errors": dict(zip(names, (0.02, 0.03), strict=True)),
        "command": "hypertinypw train --out=build/train",
        "versions": environment.versions(),
    }
    return json.loads(json.dumps(result))


def make_scores(num_patients, error_rate, rng):
    y_true = rng.choice(4, 4000, p=[0.85, 0.06, 0.07, 0.02])
    wrong = rng.random(4000) < error_rate
    y_pred = np.where(wrong, rng.integers(4, size=4000), y_true)
    logits = 8 * np.eye(4)[y_pred] + rng.normal(size=(4000, 4))
    groups = np.arange(4000) % num_patients
    scores = beats.score_beats(y_true, logits, groups, threshold=0.4)
    details = beat_details.describe_beats(y_true, logits, groups, scores)
    return {"test": scores.to_dict(), "details": details.to_dict()}


def make_class_result(
    dataset, classes, *, num_windows=4000, num_groups=33, labels=False
):
    """Returns a result of a task with other classes than beats."""
    rng = np.random.default_rng(0)
    shape = (num_windows, len(classes))
    y_true = rng.integers(len(classes), size=shape[0])
    logits = 4 * np.eye(len(classes))[y_true] + rng.normal(0, 2, shape)
    if labels:
        y_true = (rng.random(shape) < 0.3).astype(int)
        logits = 4 * y_true - 2 + rng.normal(0, 2, shape)
    groups = np.arange(num_windows) % num_groups
    task = tasks.TASKS[dataset]
    scores = class_scores.score_classes(
        y_true,
        logits,
        groups,
        classes=classes,
        thresholds=class_scores.tune_thresholds(y_true, logits, classes),
        window=task.window,
        group=task.group,
    )
    details = class_details.describe_classes(y_true, logits, groups, scores)
    config = dataclasses.asdict(RunConfig(dataset=dataset))
    result = {
        **make_result(),
        "test": scores.to_dict(),
        "details": details.to_dict(),
        "config": config,
    }
    return json.loads(json.dumps(result))


CLASS_RESULTS = {
    "two_classes": lambda: make_class_result("apnea_rr", ("normal", "apnea")),
    "forty_classes": lambda: make_class_result(
        "arabic_40", tuple(f"word{i:02d}" for i in range(40)), num_groups=6
    ),
    "labels": lambda: make_class_result(
        "ptbxl",
        ("NORM", "MI", "STTC", "CD", "HYP"),
        num_windows=800,
        num_groups=400,
        labels=True,
    ),
}


def make_awkward_result():
    """Returns a result of extremes: perfect, huge, with very long names."""
    result = make_result(num_patients=2, num_epochs=1, error_rate=0)
    result["test"]["confusion"] = [[1_234_567] * 4] * 4
    long_name = "block_16_project_pointwise_convolution_" * 3
    result["kernel_errors"] = {
        f"{long_name}{i}": error
        for i, error in enumerate((0.0, 0.123, float("inf")))
    }
    for patient in result["details"]["patients"]:
        patient["patient"] = long_name + patient["patient"]
    parts = {part: 10 ** (i % 8) for i, part in enumerate(PARTS)}
    result["footprint"] |= {
        "flash_bytes": sum(parts.values()),
        "by_part": parts,
        "by_tensor": {f"{long_name}/{i};joined": 9**i for i in range(8)},
        "arena_bytes": 123_456_789,
    }
    result["verification"]["identical"] = False
    result["command"] = f"hypertinypw train '--out=<b>&{long_name}</b>'"
    return result


def make_stored_result():
    """Returns a result of a network that stores every kernel."""
    result = make_result()
    del result["verification"]
    result["kernel_errors"] = {}
    result["config"]["stored"] = True
    return result
