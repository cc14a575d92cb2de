"""The command `hypertinypw`.

Exit status: 0 ok, 1 the result is negative, 2 bad usage or input, or, as
shells count, 128 and the number of the signal that ended it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from typing import Any

from absl.flags import argparse_flags

from keras_hypertinypw import commands, interruption
from keras_hypertinypw.fit_kinds import KINDS
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.spec import RESIDENCIES, SYNTHESES
from keras_hypertinypw.tasks import TASKS

EXIT_USAGE, EXIT_SIGNAL = 2, 128

# Exceptions whose text is for the user; any other is a bug, with its trace.
_EXPLAINED = (ValueError, TypeError, OSError, RuntimeError)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False):
            return action.help
        return super()._get_help_string(action)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    # TensorFlow reads it when it is imported, later, by the commands.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    options = parser.parse_args(arguments)
    options.command_line = shlex.join(["hypertinypw", *arguments])
    command: commands.Command = options.function
    with interruption.noted() as signals:
        try:
            status, text, record = command(options)
        except KeyboardInterrupt:
            return _interrupted(options, signals)
        except Exception as error:
            # An interruption may come out of C++ as any of them.
            if signals:
                return _interrupted(options, signals)
            if not isinstance(error, _EXPLAINED):
                raise
            sys.stderr.write(f"hypertinypw {options.name}: {error}\n")
            return EXIT_USAGE
    # With --json stdout holds one object and nothing else.
    output = json.dumps(record) if options.json else text
    sys.stdout.write(output + "\n")
    return status


def _interrupted(options: argparse.Namespace, signals: Sequence[int]) -> int:
    way_out = "Give the same command again to start over."
    if options.function in (commands.train, commands.fit, commands.demo):
        way_out = "It continues when the same command is given again."
    sys.stderr.write(f"\nhypertinypw {options.name}: interrupted. {way_out}\n")
    return EXIT_SIGNAL + (signals[0] if signals else signal.SIGINT)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of all subcommands."""
    parser = argparse_flags.ArgumentParser(
        prog="hypertinypw",
        description="Generated pointwise kernels for TensorFlow Lite Micro: "
        "train, convert, verify and measure.",
        epilog="Start with `hypertinypw demo`; it needs no data. Exit "
        "status: 0 ok, 1 negative result, 2 bad usage or input.",
    )
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    _add_train(subparsers)
    _add_fit(subparsers)
    _add_demo(subparsers)
    _add_convert(subparsers)
    _add_evaluate(subparsers)
    footprint = _add_command(
        subparsers,
        "footprint",
        commands.footprint,
        "Count every byte of a .tflite file.",
    )
    _add_model(footprint)
    _add_generator(footprint)
    footprint.add_argument(
        "--report",
        metavar="FILE.html",
        help="also write it as one HTML page with plots",
    )
    verify = _add_command(
        subparsers,
        "verify",
        commands.verify,
        "Run a generated .tflite in TFLM and its materialized twin in LiteRT, "
        "and compare every output value and kernel.",
    )
    _add_model(verify)
    _add_generator(verify)
    materialize = _add_command(
        subparsers,
        "materialize",
        commands.materialize,
        "Fold every GeneratePW op into a constant, for desktop tools.",
    )
    _add_model(materialize)
    _add_generator(materialize)
    _add_out(materialize, None, "where to write the plain .tflite")
    _add_int4(subparsers)
    _add_slim(subparsers)
    _add_share(subparsers)
    _add_export_arduino(subparsers)
    return parser


def _add_command(
    subparsers: Any,
    name: str,
    function: commands.Command,
    text: str,
) -> argparse.ArgumentParser:
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


def _add_model(parser: Any) -> None:
    parser.add_argument("model", metavar="MODEL", help="a .tflite file")


def _add_generator(
    parser: Any,
    text: str = "the generator.bin that `share` wrote with the model",
) -> None:
    parser.add_argument("--generator", metavar="FILE.bin", help=text)


def _add_out(parser: Any, default: str | None, text: str) -> None:
    parser.add_argument(
        "--out", default=default, required=default is None, help=text
    )


def _add_train(subparsers: Any) -> None:
    config = RunConfig()
    parser = _add_command(
        subparsers,
        "train",
        commands.train,
        "Train on a data set, convert, verify, evaluate on its test split. "
        "An interrupted run continues when the same command is given again.",
    )
    _add_data(parser)
    _add_out(parser, "build/train", "folder of results and checkpoints")
    parser.add_argument(
        "--stored",
        action="store_true",
        help="store every pointwise kernel: the same graph to compare with",
    )
    _add_numbers(
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
        action="store_true",
        help="add a linear skip to the generator",
    )
    parser.add_argument(
        "--generate_first",
        action="store_true",
        help="generate the first pointwise kernel, too",
    )
    _add_schedule(parser)


def _add_fit(subparsers: Any) -> None:
    parser = _add_command(
        subparsers,
        "fit",
        commands.fit,
        "Train the widest network of each kind, stored and generated, that "
        "fits a budget of bytes, choose on the validation split, and say why. "
        "An interrupted run continues when the same command is given again.",
    )
    _add_data(parser)
    _add_out(parser, "build/fit", "folder of results and checkpoints")
    parser.add_argument(
        "--budget_kb",
        type=float,
        required=True,
        metavar="KB",
        help="flash for the file, and for the op's code where it is needed, "
        "in kB of 1,024 bytes",
    )
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=KINDS,
        help="kinds of networks to try; all of them if left out",
    )
    _add_schedule(parser)


def _add_schedule(parser: Any) -> None:
    _add_numbers(
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


def _add_demo(subparsers: Any) -> None:
    parser = _add_command(
        subparsers,
        "demo",
        commands.demo,
        "The whole way on a synthetic ECG, in a few minutes and without data.",
    )
    _add_out(parser, "build/demo", "folder of results and checkpoints")


def _add_convert(subparsers: Any) -> None:
    parser = _add_command(
        subparsers,
        "convert",
        commands.convert,
        "Convert a trained model to a .tflite with GeneratePW.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="the folder of a finished `train`, or a float .keras file",
    )
    _add_out(parser, None, "where to write the .tflite")
    kernels = parser.add_mutually_exclusive_group()
    kernels.add_argument(
        "--residency",
        choices=RESIDENCIES,
        default=RESIDENCIES[0],
        help="keep kernels in the arena, or make them at every inference",
    )
    kernels.add_argument(
        "--arena_budget",
        type=int,
        metavar="BYTES",
        help="size of the tensor arena: keep the kernels that it has room "
        "for, and make the others at every inference",
    )
    parser.add_argument(
        "--synthesis",
        choices=SYNTHESES,
        default=SYNTHESES[0],
        help="make kernels at the first inference, or before it",
    )
    parser.add_argument(
        "--calibration_data",
        help="a .npy file of some hundred inputs; needed for a .keras file, "
        "which is quantized without further training",
    )


def _add_evaluate(subparsers: Any) -> None:
    parser = _add_command(
        subparsers,
        "evaluate",
        commands.evaluate,
        "Score a .tflite in TFLM on the test split of a data set; t* is tuned "
        "on the validation split.",
    )
    _add_model(parser)
    _add_data(parser)


def _add_int4(subparsers: Any) -> None:
    parser = _add_command(
        subparsers,
        "int4",
        commands.int4,
        "Pack the int8 kernels of a .tflite into four bits a weight, and "
        "measure what that costs: scores on a data set, or how outputs differ "
        "on inputs of your own, or on random ones.",
    )
    _add_model(parser)
    _add_out(parser, None, "where to write the packed .tflite")
    parser.add_argument(
        "--layers",
        nargs="+",
        metavar="NAME",
        help="layers to pack, by name or part of it; all if left out",
    )
    parser.add_argument(
        "--inputs",
        metavar="FILE.npy",
        help="inputs to compare outputs on, of shape (num_inputs, ...)",
    )
    _add_data(parser, None)


def _add_export_arduino(subparsers: Any) -> None:
    parser = _add_command(
        subparsers,
        "export_arduino",
        commands.export_arduino,
        "Write an Arduino library with the op, and a sketch that tests the "
        "model on the board.",
    )
    _add_model(parser)
    _add_out(parser, None, "a new or empty folder, like a sketchbook")
    parser.add_argument(
        "--sketch_name", default="hypertinypw", help="name of the sketch"
    )
    parser.add_argument(
        "--arena_size",
        type=int,
        metavar="BYTES",
        help="size of the tensor arena; predicted if left out",
    )
    parser.add_argument(
        "--synthesis",
        choices=SYNTHESES,
        help="make cached kernels at the first inference, or before it; as "
        "in the file if left out",
    )


def _add_slim(subparsers: Any) -> None:
    parser = _add_command(
        subparsers,
        "slim",
        commands.slim,
        "Make any .tflite smaller, losslessly: remove what TFLM does not "
        "read, share the rest, and compare both files in TFLM.",
    )
    _add_model(parser)
    _add_generator(parser)
    parser.add_argument("out", metavar="OUT", help="where to write the result")
    parser.add_argument(
        "--report",
        action="store_true",
        help="print the bytes of every kind, before and after",
    )
    parser.add_argument(
        "--desktop",
        action="store_true",
        help="keep what desktop TensorFlow Lite needs, and compare in LiteRT "
        "too",
    )
    parser.add_argument(
        "--keep_metadata", action="store_true", help="keep metadata"
    )
    parser.add_argument(
        "--keep_signatures", action="store_true", help="keep signatures"
    )


def _add_share(subparsers: Any) -> None:
    parser = _add_command(
        subparsers,
        "share",
        commands.share,
        "Take the generator out of models that have the same, so that a "
        "firmware stores it once. Writes the models, generator.bin, and the "
        "same as an array in C++.",
    )
    parser.add_argument(
        "models", metavar="MODEL", nargs="+", help="a .tflite file"
    )
    _add_out(parser, None, "a new or empty folder")
    _add_generator(
        parser, "what a firmware has already, for a model that is new to it"
    )


def _add_data(parser: Any, dataset: str | None = RunConfig.dataset) -> None:
    parser.add_argument(
        "--dataset",
        choices=tuple(TASKS),
        default=dataset,
        help="; ".join(f"{name}: {task.title}" for name, task in TASKS.items()),
    )
    parser.add_argument(
        "--data_dir",
        help="folder of the data set; without it the one of its name below "
        "$HYPERTINYPW_DATA",
    )
    parser.add_argument(
        "--download",
        action="store_true",
        help="download what is not in the folder",
    )


def _add_numbers(parser: Any, **numbers: tuple[int | None, str]) -> None:
    for name, (default, text) in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=text)
