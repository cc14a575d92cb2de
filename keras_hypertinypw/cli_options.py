"""Options that several subcommands of `hypertinypw` take."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from keras_hypertinypw import commands
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.tasks import TASKS


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False):
            return action.help
        return super()._get_help_string(action)


def add_command(
    subparsers: Any,
    name: str,
    function: commands.Command,
    text: str,
) -> argparse.ArgumentParser:
    """Adds a subcommand, which runs `function`."""
    parser = subparsers.add_parser(
        name,
        help=text,
        description=text,
        formatter_class=_HelpFormatter,
    )
    parser.set_defaults(function=function, name=name)
    parser.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object to stdout instead of text",
    )
    return parser


def add_model(parser: Any) -> None:
    """Adds the `.tflite` that a command reads."""
    parser.add_argument("model", metavar="MODEL", help="a .tflite file")


def add_generator(
    parser: Any,
    text: str = "the generator.bin that `share` wrote with the model",
) -> None:
    """Adds the generator that a file refers to."""
    parser.add_argument("--generator", metavar="FILE.bin", help=text)


def add_out(parser: Any, default: str | None, text: str) -> None:
    """Adds where a command writes."""
    parser.add_argument(
        "--out", default=default, required=default is None, help=text
    )


def add_data(
    parser: Any,
    dataset: str | None = RunConfig.dataset,
    names: Iterable[str] = TASKS,
    *,
    required: bool = False,
) -> None:
    """Adds the data set, and where it comes from."""
    parser.add_argument(
        "--dataset",
        choices=tuple(names),
        default=dataset,
        required=required,
        help="; ".join(f"{name}: {TASKS[name].title}" for name in names),
    )
    parser.add_argument(
        "--data_dir",
        help="folder of the data set; without it, its own below "
        "$HYPERTINYPW_DATA",
    )
    parser.add_argument(
        "--download",
        action="store_true",
        help="download what is not in the folder",
    )


def add_numbers(parser: Any, **numbers: tuple[int | None, str]) -> None:
    """Adds integers, each a default and a help text."""
    for name, (default, text) in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=text)


def add_schedule(parser: Any) -> None:
    """Adds what says how long a training takes."""
    add_numbers(
        parser,
        float_epochs=(
            None,
            "epochs in float; if left out, what suits the data set",
        ),
        quantized_epochs=(
            None,
            "quantization-aware epochs; if left out, what suits the data set",
        ),
        seed=(Schedule.seed, "of initial values and batches"),
    )
