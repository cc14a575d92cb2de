"""A run's result as one HTML page, from the plain data of `result.json`."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from keras_hypertinypw import (
    html_classes,
    html_footprint,
    html_page,
    html_scores,
    plots,
)
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.tasks import TASKS, Task


def write_page(path: pathlib.Path, result: Mapping[str, Any]) -> None:
    """Writes the report of a run.

    Args:
        path: A `.html` file.
        result: What `runs.run` returns, or `result.json` holds.
    """
    write_atomically(path, run_page(result).encode())


def run_page(result: Mapping[str, Any]) -> str:
    """Returns the report of a run; equal results give equal pages."""
    test, config = result["test"], result["config"]
    task = TASKS[config["dataset"]]
    scores = html_scores if task.protocol == "beats" else html_classes
    kind = "stored" if config["stored"] else "generated"
    return html_page.page(
        f"{config['dataset']}, {kind} kernels",
        f"A network of width {config['width']} that {task.purpose}: "
        "trained, converted to an int8 .tflite file, and scored by running "
        f"that file in TFLM on {scores.how_many(test)}.",
        [
            _headline(result, scores.headline(test)),
            _history_section(result["history"], task),
            scores.decisions_section(test, result["details"]),
            scores.certainty_section(test, result["details"]),
            html_footprint.bytes_section(result["footprint"]),
            _kernels_section(result),
            _origin_section(result),
        ],
    )


def _headline(
    result: Mapping[str, Any],
    scores: Iterable[tuple[str, Mapping[str, float]]],
) -> str:
    tiles = [
        html_page.tile(
            name,
            f"{value['value']:.3f}",
            f"95 %: {html_scores.interval_text(value)}",
        )
        for name, value in scores
    ]
    tiles += html_footprint.size_tiles(result["footprint"])
    found = result.get("verification")
    if found:
        tiles.append(
            html_page.tile(
                "TFLM versus LiteRT",
                "identical" if found["identical"] else "different",
                f"in {found['num_values']:,} output values",
                "good" if found["identical"] else "bad",
            )
        )
    return html_page.tiles(*tiles)


def _history_section(history: Mapping[str, list], task: Task) -> str:
    return html_page.section(
        "Training",
        "First in ordinary numbers (float), then with the rounding of the "
        "device (quantized), which starts from the best float epoch.",
        html_page.figure(
            "loss",
            "Training loss",
            "The error that training works on. It should fall; it says "
            f"nothing yet about new {task.group}s.",
            lambda axes: plots.draw_history(axes, history, "loss", "loss"),
        ),
        html_page.figure(
            "validation",
            f"Validation {task.group}s",
            f"The score on {task.group}s kept aside. The best epoch of each "
            "phase is kept; ups and downs show how much of it is chance.",
            lambda axes: plots.draw_history(
                axes, history, "validation_macro_f1", task.macro_f1
            ),
        ),
    )


def _kernels_section(result: Mapping[str, Any]) -> str:
    errors, found = result["kernel_errors"], result.get("verification")
    if not errors or not found:
        return html_page.section(
            "Generated kernels",
            "None: this network stores every kernel, so there is no error of "
            "generation to show and no generated file to verify.",
        )
    return html_page.section(
        "Generated kernels",
        "The device makes these kernels itself, in integers.",
        html_page.figure(
            "kernel-errors",
            "Error of the integers, by layer",
            "How far the device's kernel is from the one that the same codes "
            "and generator give without rounding; 0 % is equal, 100 % as far "
            "as a kernel of zeros.",
            lambda axes: plots.draw_bars(axes, errors, "{:.2%}"),
            height=0.5 + 0.3 * len(errors),
        ),
        html_page.table(
            "The file in TFLM against its stored twin in LiteRT",
            ("Compared", "Number", "Different"),
            [
                (
                    "Output values",
                    f"{found['num_values']:,}",
                    f"{found['num_differences']:,}",
                ),
                (
                    "Generated kernels",
                    f"{found['num_kernels']:,}",
                    f"{len(found['different_kernels']):,}",
                ),
            ],
            note=f"{found['num_inputs']:,} inputs, each run several times; "
            f"the outputs took {found['num_distinct']:,} distinct values. A "
            "single difference would fail the run.",
        ),
    )


def _origin_section(result: Mapping[str, Any]) -> str:
    config = dict(result["config"])
    schedule = config.pop("schedule")
    return html_page.section(
        "How it was made",
        "The same command, data and versions give the same page again on the "
        "same machine.",
        html_page.code("Command", result["command"]),
        html_page.table("Versions", (), result["versions"].items(), dense=True),
        html_page.table(
            "Configuration", (), _plain({**config, **schedule}), dense=True
        ),
    )


def _plain(values: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        text = value
        if isinstance(value, (list, tuple)):
            text = ", ".join(map(str, value)) or "none"
        elif isinstance(value, bool):
            text = "yes" if value else "no"
        yield name.replace("_", " "), str(text)
