"""A run's result as text and as a picture."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from keras_hypertinypw import plots, scoring
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.footprint import Footprint
from keras_hypertinypw.formatting import format_count
from keras_hypertinypw.materialize import materialize
from keras_hypertinypw.op_size import op_code_bytes
from keras_hypertinypw.slim import slim
from keras_hypertinypw.tasks import TASKS


def summary(result: dict[str, Any], out: pathlib.Path) -> str:
    """Returns what a person wants to read at the end of a run."""
    sizes = Footprint(**result["footprint"])
    task = TASKS[result["config"]["dataset"]]
    parts = [
        f"Test {task.group}s, the .tflite file in TFLM:",
        str(scoring.read_scores(result["test"], task)),
        "",
        str(sizes),
        "",
    ]
    found = result.get("verification")
    if found:
        verdict = "identical" if found["identical"] else "DIFFERENT"
        parts.append(
            f"TFLM versus LiteRT: {verdict}, {found['num_values']:,} values, "
            f"{found['num_distinct']} distinct, "
            f"{format_count(found['num_kernels'], 'kernel')}"
        )
    parts.append(
        f"Results in {out}/: report.html, model.tflite, result.json, result.png"
    )
    return "\n".join(parts)


def payoff(model_content: bytes) -> str:
    """Says whether generation makes the firmware of a file smaller."""
    op = op_code_bytes("small")  # Which checks files.
    generated = len(slim(model_content, verify=False))
    stored = len(slim(materialize(model_content), verify=False))
    pays = generated + op < stored
    verdict = "is large enough" if pays else "is too small"
    return (
        f"This network {verdict} for generation to pay: slimmed, the file "
        f"takes {generated:,} B and the op's code {op:,} B, the file with the "
        f"same kernels stored in int8 {stored:,} B. Without checks the op "
        f'takes {op_code_bytes("compact"):,} B. See "Where generation pays" in '
        "README.md."
    )


def write_picture(path: pathlib.Path, result: dict[str, Any]) -> None:
    """Draws learning curves, the decisions and bytes by part.

    Args:
        path: A `.png` file.
        result: What `runs.run` returns.
    """
    sizes, test = result["footprint"], result["test"]
    task = TASKS[result["config"]["dataset"]]
    buffer = io.BytesIO()
    with matplotlib.rc_context(plots.STYLE):
        figure = Figure(
            figsize=(13, 3.6), layout=ConstrainedLayoutEngine(wspace=0.06)
        )
        history, decisions, parts = figure.subplots(1, 3)
        plots.draw_history(
            history,
            result["history"],
            "validation_macro_f1",
            task.macro_f1,
        )
        # Above the legend.
        history.set_title(f"Validation {task.group}s", pad=20)
        counts, names = np.array(test["confusion"]), list(test["class_f1"])
        if counts.ndim == 2:
            plots.draw_confusion(decisions, counts, names)
            decisions.set_title(f"Test {task.window}s")
        else:
            f1 = {name: test["class_f1"][name]["value"] for name in names}
            plots.draw_bars(decisions, f1, "{:.3f}")
            decisions.set_title(f"F1 by label, test {task.window}s")
        plots.draw_bars(parts, plots.by_size(sizes["by_part"]), "{:,} B")
        parts.set_title(
            f"File: {sizes['flash_bytes']:,} B, arena: "
            f"{sizes['arena_bytes']:,} B"
        )
        figure.savefig(buffer, format="png", dpi=130)
    write_atomically(path, buffer.getvalue())
