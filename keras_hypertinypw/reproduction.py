"""The row of the paper's table that a data set stands for, measured here."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from keras_hypertinypw import runs
from keras_hypertinypw.files import write_json
from keras_hypertinypw.paper import CLAIMS
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.slim import slim


def reproduce(
    dataset: str,
    out: pathlib.Path,
    *,
    width: int,
    schedule: Schedule,
    data_dir: str | None = None,
    download: bool = False,
    command: str,
) -> dict[str, Any]:
    """Trains one graph twice, stored and generated, and compares both.

    As in the paper, the first pointwise kernel and all that is not pointwise
    are stored in int8 and the others are generated; the generator is the
    default one.

    Args:
        dataset: A key of `paper.CLAIMS`.
        out: Folder; gets `reproduce.json`, and one folder for each run.
        width: Channels of the graph.
        schedule: Of both trainings, but for `kernel_bits`, which are 8.
        data_dir: Folder of the data set.
        download: Whether to download what is not there.
        command: The command line, for the record.

    Returns:
        What `reproduce.json` holds.
    """
    schedule = dataclasses.replace(schedule, kernel_bits=8)
    stored = RunConfig(
        dataset=dataset,
        stored=True,
        width=width,
        generate_first=False,
        schedule=schedule,
    )
    generated = dataclasses.replace(stored, stored=False)
    metric = CLAIMS[dataset].metric
    rows = {}
    for name, config in (("stored", stored), ("generated", generated)):
        result = runs.run(
            config,
            out / name,
            data_dir=data_dir,
            download=download,
            command=command,
        )
        content = (out / name / "model.tflite").read_bytes()
        rows[name] = {
            "score": result["test"]["metrics"][metric],
            "file_bytes": len(slim(content)),
            "arena_bytes": result["footprint"]["arena_bytes"],
        }
    result = {
        "dataset": dataset,
        "metric": metric,
        "width": width,
        **rows,
        "schedule": dataclasses.asdict(schedule),
        "command": command,
    }
    write_json(out / "reproduce.json", result)
    return result


def table(result: dict[str, Any]) -> str:
    """Returns the row of the paper's table beside ours, for people."""
    stored, generated = result["stored"], result["generated"]
    claim = CLAIMS[result["dataset"]]
    scores = [
        "{value:.3f} [{low:.3f}, {high:.3f}]".format(**row["score"])
        for row in (stored, generated)
    ]
    retained = generated["score"]["value"] / stored["score"]["value"]
    smaller = stored["file_bytes"] / generated["file_bytes"]
    name = result["metric"].replace("_", " ")
    lines = [
        ("", "stored int8", "generated", "ratio", "the paper"),
        (
            "file, slimmed",
            f"{stored['file_bytes']:,} B",
            f"{generated['file_bytes']:,} B",
            f"{smaller:.2f}x smaller",
            claim.smaller,
        ),
        (name, *scores, f"{retained:.1%}", claim.score),
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True))
        for line in lines
    ]
    return "\n".join(
        [
            *(line.rstrip() for line in text),
            "",
            f"Here: {claim.protocol}; one graph of {result['width']} channels, "
            "trained twice; bytes of the files as flashed; 95 % intervals.",
            f"The paper: {claim.difference}",
        ]
    )
