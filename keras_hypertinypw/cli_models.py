"""The subcommands that read a model."""

from __future__ import annotations

from typing import Any

from keras_hypertinypw import commands
from keras_hypertinypw.cli_options import (
    add_command,
    add_data,
    add_generator,
    add_model,
    add_out,
)
from keras_hypertinypw.op_builds import BUILDS, DESCRIPTIONS
from keras_hypertinypw.spec import RESIDENCIES, SYNTHESES


def add_model_commands(subparsers: Any) -> None:
    """Adds `convert` and all that take a `.tflite`."""
    _add_convert(subparsers)
    _add_evaluate(subparsers)
    _add_footprint(subparsers)
    _add_verify(subparsers)
    _add_materialize(subparsers)
    _add_int4(subparsers)
    _add_narrow(subparsers)
    _add_slim(subparsers)
    _add_share(subparsers)
    _add_patch(subparsers)
    _add_export_arduino(subparsers)


def _add_convert(subparsers: Any) -> None:
    parser = add_command(
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
    add_out(parser, None, "where to write the .tflite")
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
    parser = add_command(
        subparsers,
        "evaluate",
        commands.evaluate,
        "Score a .tflite in TFLM on the test split of a data set; t* is tuned "
        "on the validation split.",
    )
    add_model(parser)
    add_generator(parser)
    add_data(parser)


def _add_footprint(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "footprint",
        commands.footprint,
        "Count every byte of a .tflite file.",
    )
    add_model(parser)
    add_generator(parser)
    parser.add_argument(
        "--report",
        metavar="FILE.html",
        help="also write it as one HTML page with plots",
    )


def _add_verify(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "verify",
        commands.verify,
        "Run a .tflite in TFLM and in LiteRT, a generated one materialized, "
        "and compare every output value and every generated kernel.",
    )
    add_model(parser)
    add_generator(parser)


def _add_materialize(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "materialize",
        commands.materialize,
        "Fold every GeneratePW op into a constant, for desktop tools.",
    )
    add_model(parser)
    add_generator(parser)
    add_out(parser, None, "where to write the plain .tflite")


def _add_int4(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "int4",
        commands.int4,
        "Pack the int8 kernels of a .tflite into four bits a weight, and "
        "measure what that costs: scores on a data set, or how outputs differ "
        "on inputs of your own, or on random ones.",
    )
    add_model(parser)
    add_generator(parser)
    add_out(parser, None, "where to write the packed .tflite")
    parser.add_argument(
        "--layers",
        nargs="+",
        metavar="NAME",
        help="layers to pack, by name or part of it; all if left out",
    )
    _add_measured_on(parser)


def _add_measured_on(parser: Any) -> None:
    parser.add_argument(
        "--inputs",
        metavar="FILE.npy",
        help="inputs to compare outputs on, of shape (num_inputs, ...)",
    )
    add_data(parser, None)


def _add_narrow(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "narrow",
        commands.narrow,
        "Store the biases of a .tflite in eight bits, which firmware needs the "
        "op WidenBias for, and measure what that costs, as int4 does.",
    )
    add_model(parser)
    add_generator(parser)
    add_out(parser, None, "where to write the .tflite")
    _add_measured_on(parser)


def _add_export_arduino(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "export_arduino",
        commands.export_arduino,
        "Write an Arduino library with the op, and a sketch that tests the "
        "model on the board.",
    )
    add_model(parser)
    add_generator(parser)
    add_out(parser, None, "a new or empty folder, like a sketchbook")
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
    parser.add_argument(
        "--op_build",
        choices=BUILDS,
        default=BUILDS[0],
        help="how to compile the ops: "
        + "; ".join(f"'{name}' {text}" for name, text in DESCRIPTIONS.items()),
    )


def _add_slim(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "slim",
        commands.slim,
        "Make any .tflite smaller, losslessly: remove what TFLM does not "
        "read, share the rest, and compare both files in TFLM.",
    )
    add_model(parser)
    add_generator(parser)
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
    parser = add_command(
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
    add_out(parser, None, "a new or empty folder")
    add_generator(
        parser, "what a firmware has already, for a model that is new to it"
    )


def _add_patch(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "patch",
        commands.patch,
        "Write what turns a deployed .tflite into a new one of the same size, "
        "as that of a network whose codes alone went on training.",
    )
    parser.add_argument("old", metavar="OLD", help="the deployed .tflite")
    parser.add_argument("new", metavar="NEW", help="the new .tflite")
    add_out(parser, None, "where to write the patch")
