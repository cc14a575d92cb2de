"""A run's result as text and as a picture."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import matplotlib
import numpy as np
from matplotlib import ticker

from keras_hypertinypw.evaluation.beats import CLASSES, BeatScores
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.footprint import Footprint

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  The backend comes first.


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
    parts.append(f"Results in {out}/: model.tflite, result.json, result.png")
    return "\n".join(parts)


def write_picture(path: pathlib.Path, result: dict[str, Any]) -> None:
    """Draws learning curves, the confusion matrix and bytes by part.

    Args:
        path: A `.png` file.
        result: What `runs.run` returns.
    """
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    _draw_history(axes[0], result["history"])
    _draw_confusion(axes[1], np.array(result["test"]["confusion"]))
    _draw_bytes(axes[2], result["footprint"])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    write_atomically(path, buffer.getvalue())


def _draw_history(axes: Any, history: dict[str, list]) -> None:
    start = 1
    for phase, records in history.items():
        epochs = range(start, start + len(records))
        start += len(records)
        scores = [record["validation_macro_f1"] for record in records]
        axes.plot(epochs, scores, "o-", label=f"{phase} training")
    axes.set(
        title="Validation patients",
        xlabel="epoch",
        ylabel="macro-F1, 4 classes",
        ylim=(0, 1),
    )
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.legend()
    axes.grid(alpha=0.3)


def _draw_confusion(axes: Any, counts: np.ndarray) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(
            column, row, f"{count:,}", ha="center", va="center", color=color
        )
    ticks = range(len(CLASSES))
    axes.set_xticks(ticks, CLASSES)
    axes.set_yticks(ticks, CLASSES)
    axes.set(title="Test beats", xlabel="predicted", ylabel="true")


def _draw_bytes(axes: Any, sizes: dict[str, Any]) -> None:
    parts = {k: v for k, v in sizes["by_part"].items() if v}
    names = [name.replace("_", " ") for name in parts]
    bars = axes.barh(names, list(parts.values()), color="tab:green")
    axes.bar_label(bars, [f"{v:,} B" for v in parts.values()], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set(
        title=f"File: {sizes['flash_bytes']:,} B, arena: "
        f"{sizes['arena_bytes']:,} B",
        xlabel="bytes",
    )
