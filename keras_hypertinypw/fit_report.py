"""What `hypertinypw fit` found, as text and as a picture."""

from __future__ import annotations

import io
import pathlib
import shlex
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from keras_hypertinypw import plots, scoring
from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.fit_kinds import KINDS
from keras_hypertinypw.op_size import op_code_bytes, widen_bias_code_bytes
from keras_hypertinypw.run_config import RunConfig
from keras_hypertinypw.tasks import TASKS

_GENERATOR = ("code_dim", "code_bits", "block_size")
_FLAGS = ("use_skip", "generate_first", "per_channel")


def train_command(
    config: RunConfig, out: pathlib.Path, data_dir: str | None
) -> str:
    """Returns the command line that trains a network of `fit` alone."""
    schedule = config.schedule
    words = ["hypertinypw", "train", f"--dataset={config.dataset}"]
    if data_dir is not None:
        words.append(f"--data_dir={data_dir}")
    words.append(f"--out={out}")
    words.append(f"--width={config.width}")
    words.append(_flag("kernel_per_channel", schedule.kernel_per_channel))
    if config.stored:
        words.append("--stored")
    else:
        words += [_flag(name, getattr(config, name)) for name in _FLAGS]
        words += [f"--{name}={getattr(config, name)}" for name in _GENERATOR]
        words += ["--hidden_units", *map(str, config.hidden_units)]
    words += [
        f"--{name}={getattr(schedule, name)}"
        for name in ("float_epochs", "quantized_epochs", "seed", "kernel_bits")
    ]
    return shlex.join(words)


def _flag(name: str, value: bool) -> str:
    return f"--{name}" if value else f"--no-{name}"


def summary(result: dict[str, Any], out: pathlib.Path) -> str:
    """Returns what a person wants to read at the end."""
    lines = [
        f"{'kind':<16}{'width':>6}{'file B':>9}{'op B':>7}{'arena B':>9}"
        "  macro-F1 on validation"
    ]
    for row in result["kinds"]:
        lines.append(
            f"{row['kind']:<16}{row['width']:>6}{row['file_bytes']:>9,}"
            f"{row['op_code_bytes']:>7,}{row['arena_bytes']:>9,}"
            f"  {row['val_macro_f1']:.3f}"
            f" [{row['low']:.3f}, {row['high']:.3f}]{_by_seed(row)}"
        )
    lines += [f"{kind:<16} does not fit" for kind in result["left_out"]]
    config = RunConfig.from_dict(result["config"])
    task = TASKS[config.dataset]
    if any(row["op_code_bytes"] for row in result["kinds"]):
        lines += ["", _about_ops()]
    lines += [
        "",
        result["reason"],
        *_about_seeds(result),
        "",
        f"Test {task.group}s, the chosen file in TFLM:",
        str(scoring.read_scores(result["test"], task)),
        "",
        "To train it alone, and for its file:",
        *_alone(config, out / "alone", result),
        f"Results in {out}/: model.tflite, fit.json, fit.png",
    ]
    return "\n".join(lines)


def _by_seed(row: dict[str, Any]) -> str:
    """Returns what stands behind a mean."""
    if len(row["seeds"]) == 1:
        return ""
    scores = (f"{score:.3f}" for score in row["seeds"].values())
    return f", the mean of {', '.join(scores)}"


def _about_seeds(result: dict[str, Any]) -> list[str]:
    if len(result["kinds"][0]["seeds"]) > 1 or len(result["kinds"]) == 1:
        return []
    return [
        "One seed: the same network may be points better or worse from another "
        "one.",
        "With --num_seeds=3 means decide, and what is trained here is not "
        "trained again.",
    ]


def _alone(
    config: RunConfig, folder: pathlib.Path, result: dict[str, Any]
) -> list[str]:
    """Returns the commands that make the chosen file without `fit`."""
    lines = [train_command(config, folder, result["data_dir"])]
    trained, small = folder / "model.tflite", folder / "small.tflite"
    if KINDS[result["chosen"]].bare:
        narrow = folder / "narrow.tflite"
        lines.append(
            f"hypertinypw narrow {_quoted(trained)} --out {_quoted(narrow)}"
        )
        trained = narrow
    return [*lines, f"hypertinypw slim {_quoted(trained)} {_quoted(small)}"]


def _quoted(path: pathlib.Path) -> str:
    return shlex.quote(str(path))


def _about_ops() -> str:
    generate = op_code_bytes("small") - op_code_bytes("compact")
    widen = widen_bias_code_bytes("small") - widen_bias_code_bytes("compact")
    return (
        "op B: the compact GeneratePW and WidenBias as far as the file needs "
        "them, without\nchecks of the file; with checks they take "
        f'{generate:,} B and {widen:,} B more. See "Builds"\n'
        "in tflm_ops/README.md, and `hypertinypw export_arduino "
        "--op_build=compact`."
    )


def write_picture(path: pathlib.Path, result: dict[str, Any]) -> None:
    """Draws the macro-F1 of each kind with its interval, and its bytes.

    Args:
        path: A `.png` file.
        result: What `fitting.fit` returns.
    """
    kinds = result["kinds"]
    names = [f"{KINDS[k['kind']].title}, {k['width']} wide" for k in kinds]
    scores = [kind["val_macro_f1"] for kind in kinds]
    several = len(kinds[0]["seeds"]) > 1
    sizes = [kind["file_bytes"] + kind["op_code_bytes"] for kind in kinds]
    buffer = io.BytesIO()
    with matplotlib.rc_context(plots.STYLE):
        figure = Figure(
            figsize=(10, 1.3 + 0.4 * len(kinds)), layout="constrained"
        )
        left, right = figure.subplots(1, 2)
        left.errorbar(
            scores,
            range(len(kinds)),
            xerr=[
                [
                    s - kind["low"]
                    for s, kind in zip(scores, kinds, strict=True)
                ],
                [
                    kind["high"] - s
                    for s, kind in zip(scores, kinds, strict=True)
                ],
            ],
            fmt="o",
            color=plots.BLUE,
            capsize=3,
        )
        for place, kind in enumerate(kinds if several else ()):
            runs = list(kind["seeds"].values())
            left.plot(
                runs, [place] * len(runs), "o", ms=4, mfc="none", c=plots.BLUE
            )
        left.set_yticks(range(len(kinds)), names)
        left.set_ylim(len(kinds) - 0.5, -0.5)
        left.set_title(
            "macro-F1 on validation, 95 % intervals"
            + (", and each seed" if several else "")
        )
        plots.draw_bars(right, dict(zip(names, sizes, strict=True)), "{:,} B")
        right.set_yticks([])
        right.set_title(f"File and op, of {result['budget_bytes']:,} B")
        figure.savefig(buffer, format="png", dpi=130)
    write_atomically(path, buffer.getvalue())
