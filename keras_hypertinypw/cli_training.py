"""The subcommands that train."""

from __future__ import annotations

import argparse
from typing import Any

from keras_hypertinypw import training_commands
from keras_hypertinypw.cli_options import (
    add_command,
    add_data,
    add_numbers,
    add_out,
    add_schedule,
)
from keras_hypertinypw.fit_kinds import KINDS
from keras_hypertinypw.paper import CLAIMS
from keras_hypertinypw.run_config import RunConfig
from keras_hypertinypw.tasks import TASKS


def add_training_commands(subparsers: Any) -> None:
    """Adds `train`, `fit`, `reproduce` and `demo`."""
    _add_train(subparsers)
    _add_fit(subparsers)
    _add_reproduce(subparsers)
    _add_demo(subparsers)


def _add_train(subparsers: Any) -> None:
    config = RunConfig()
    parser = add_command(
        subparsers,
        "train",
        training_commands.train,
        "Train on a data set, convert, verify, evaluate on its test split. "
        "An interrupted run continues when the same command is given again.",
    )
    add_data(parser)
    add_out(parser, "build/train", "folder of results and checkpoints")
    parser.add_argument(
        "--stored",
        action="store_true",
        help="store every pointwise kernel: the same graph to compare with",
    )
    add_numbers(
        parser,
        width=(config.width, "channels of the network"),
        code_dim=(config.code_dim, "length of a code vector"),
        code_bits=(config.code_bits, "bits of a code: 1, 2, 4 or 8"),
        block_size=(config.block_size, "weights made from one code vector"),
        kernel_bits=(
            config.schedule.kernel_bits,
            "bits of stored kernels: 8, or 4, which are packed as `int4` does",
        ),
    )
    parser.add_argument(
        "--hidden_units",
        type=int,
        nargs="*",
        default=list(config.hidden_units),
        help="hidden layers of the generator",
    )
    parser.add_argument(
        "--use_skip",
        action=argparse.BooleanOptionalAction,
        default=config.use_skip,
        help="add a linear skip to the generator",
    )
    parser.add_argument(
        "--generate_first",
        action=argparse.BooleanOptionalAction,
        default=config.generate_first,
        help="generate the first pointwise kernel, too",
    )
    parser.add_argument(
        "--per_channel",
        action=argparse.BooleanOptionalAction,
        default=config.per_channel,
        help="give each filter of a generated kernel a scale of its own",
    )
    parser.add_argument(
        "--kernel_per_channel",
        action=argparse.BooleanOptionalAction,
        default=config.schedule.kernel_per_channel,
        help="give each channel of a stored kernel of four bits a scale of its "
        "own; without, 4 bytes less for each",
    )
    add_schedule(parser)


def _add_fit(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "fit",
        training_commands.fit,
        "Train the widest network of each kind, stored and generated, that "
        "fits a budget of bytes, choose on the validation split, and say why. "
        "An interrupted run continues when the same command is given again.",
    )
    one_class = [name for name, task in TASKS.items() if not task.multi_label]
    add_data(parser, names=one_class)
    add_out(parser, "build/fit", "folder of results and checkpoints")
    parser.add_argument(
        "--budget_kb",
        type=float,
        required=True,
        metavar="KB",
        help="flash for the file, and for the ops' code where they are needed, "
        "in their smallest build, in kB of 1,024 bytes",
    )
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=KINDS,
        help="kinds of networks to try; all of them if left out",
    )
    add_numbers(
        parser,
        num_seeds=(1, "how many times to train each kind; the mean decides"),
    )
    add_schedule(parser)


def _add_reproduce(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "reproduce",
        training_commands.reproduce,
        "Train one graph stored and generated, and print the row of the "
        "paper's table beside what was measured. An interrupted run continues "
        "when the same command is given again.",
    )
    add_data(parser, None, CLAIMS, required=True)
    add_out(parser, "build/reproduce", "folder of results and checkpoints")
    add_numbers(parser, width=(RunConfig.width, "channels of the network"))
    add_schedule(parser)


def _add_demo(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "demo",
        training_commands.demo,
        "The whole way on a synthetic ECG, in a few minutes and without data.",
    )
    add_out(parser, "build/demo", "folder of results and checkpoints")
