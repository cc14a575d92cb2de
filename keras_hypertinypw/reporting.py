"""A run's result as text and as a picture."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_hypertinypw import plots
from keras_hypertinypw.evaluation.beats import CLASSES, BeatScores
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.footprint import Footprint


def summary(result: dict[str, Any], out: pathlib.Path) -> str:
    """Returns what a person wants to read at the end of a run."""
    sizes = Footprint(**result["footprint"])
    parts = [
        "Test patients, the .tflite file in TFLM:",
        str(BeatScores(**result["test"])),
        "",
        str(sizes),
        "",
    ]
    found = result.get("verification")
    if found:
        verdict = "identical" if found["identical"] else "DIFFERENT"
        parts.append(
            f"TFLM versus LiteRT: {verdict}, {found['num_values']:,} values, "
            f"{found['num_distinct']} distinct, {found['num_kernels']} kernels"
        )
    parts.append(
        f"Results in {out}/: report.html, model.tflite, result.json, result.png"
    )
    return "\n".join(parts)


def write_picture(path: pathlib.Path, result: dict[str, Any]) -> None:
    """Draws learning curves, the confusion matrix and bytes by part.

    Args:
        path: A `.png` file.
        result: What `runs.run` returns.
    """
    sizes = result["footprint"]
    buffer = io.BytesIO()
    with matplotlib.rc_context(plots.STYLE):
        figure = Figure(
            figsize=(13, 3.6), layout=ConstrainedLayoutEngine(wspace=0.06)
        )
        history, confusion, parts = figure.subplots(1, 3)
        plots.draw_history(
            history,
            result["history"],
            "validation_macro_f1",
            "macro-F1, 4 classes",
        )
        # Above the legend.
        history.set_title("Validation patients", pad=20)
        counts = np.array(result["test"]["confusion"])
        plots.draw_confusion(confusion, counts, CLASSES)
        confusion.set_title("Test beats")
        plots.draw_bars(parts, plots.by_size(sizes["by_part"]), "{:,} B")
        parts.set_title(
            f"File: {sizes['flash_bytes']:,} B, arena: "
            f"{sizes['arena_bytes']:,} B"
        )
        figure.savefig(buffer, format="png", dpi=130)
    write_atomically(path, buffer.getvalue())
