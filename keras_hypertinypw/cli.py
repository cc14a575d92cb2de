"""The command `hypertinypw`.

Exit status: 0 ok, 1 the result is negative, 2 bad usage or input.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl.flags import argparse_flags

from keras_hypertinypw.files import write_atomically
from keras_hypertinypw.progress import stage
from keras_hypertinypw.run_config import RunConfig, Schedule
from keras_hypertinypw.spec import RESIDENCIES, SYNTHESES

EXIT_OK, EXIT_NEGATIVE, EXIT_USAGE = 0, 1, 2
EXIT_INTERRUPTED = 130  # As shells count SIGINT.


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
    command: Callable[[argparse.Namespace], tuple[int, str, dict]]
    command = options.function
    try:
        status, text, record = command(options)
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        sys.stderr.write(f"hypertinypw {options.name}: {error}\n")
        return EXIT_USAGE
    except KeyboardInterrupt:
        sys.stderr.write(
            f"\nhypertinypw {options.name}: interrupted. A training continues "
            "when the same command is given again.\n"
        )
        return EXIT_INTERRUPTED
    # With --json stdout holds one object and nothing else.
    output = json.dumps(record) if options.json else text
    sys.stdout.write(output + "\n")
    return status


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of all subcommands."""
    parser = argparse_flags.ArgumentParser(
        prog="hypertinypw",
        description="Generated pointwise kernels for TensorFlow Lite Micro: "
        "train, convert, verify and measure.",
        epilog="Start with `hypertinypw demo`; it needs no data. Exit "
        "status: 0 ok, 1 negative result, 2 bad usage or input.",
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    _add_train(commands)
    _add_demo(commands)
    _add_convert(commands)
    _add_evaluate(commands)
    for name, function, text in (
        ("footprint", footprint_command, "Count every byte of a .tflite file."),
        (
            "verify",
            verify_command,
            "Run a generated .tflite in TFLM and its materialized twin in "
            "LiteRT, and compare every output value and kernel.",
        ),
    ):
        _add_command(commands, name, function, text).add_argument(
            "model", metavar="MODEL", help="a .tflite file"
        )
    materialize = _add_command(
        commands,
        "materialize",
        materialize_command,
        "Fold every GeneratePW op into a constant, for desktop tools.",
    )
    materialize.add_argument("model", metavar="MODEL", help="a .tflite file")
    _add_out(materialize, None, "where to write the plain .tflite")
    return parser


def _add_command(
    commands: Any,
    name: str,
    function: Callable[[argparse.Namespace], tuple[int, str, dict]],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
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


def _add_out(parser: Any, default: str | None, text: str) -> None:
    parser.add_argument(
        "--out", default=default, required=default is None, help=text
    )


def _add_train(commands: Any) -> None:
    config = RunConfig()
    parser = _add_command(
        commands,
        "train",
        train_command,
        "Train on ECG beats, convert, verify, evaluate on the test patients. "
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
        float_epochs=(config.schedule.float_epochs, "epochs in float"),
        quantized_epochs=(
            config.schedule.quantized_epochs,
            "quantization-aware epochs",
        ),
        seed=(config.schedule.seed, "of initial values and batches"),
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


def _add_demo(commands: Any) -> None:
    parser = _add_command(
        commands,
        "demo",
        demo_command,
        "The whole way on a synthetic ECG, in a few minutes and without data.",
    )
    _add_out(parser, "build/demo", "folder of results and checkpoints")


def _add_convert(commands: Any) -> None:
    parser = _add_command(
        commands,
        "convert",
        convert_command,
        "Convert a trained model to a .tflite with GeneratePW.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="the folder of a finished `train`, or a float .keras file",
    )
    _add_out(parser, None, "where to write the .tflite")
    parser.add_argument(
        "--residency",
        choices=RESIDENCIES,
        default=RESIDENCIES[0],
        help="keep kernels in the arena, or make them at every inference",
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


def _add_evaluate(commands: Any) -> None:
    parser = _add_command(
        commands,
        "evaluate",
        evaluate_command,
        "Score a .tflite in TFLM on the test patients; t* is tuned on the "
        "validation patients.",
    )
    parser.add_argument("model", metavar="MODEL", help="a .tflite file")
    _add_data(parser)


def _add_data(parser: Any) -> None:
    parser.add_argument(
        "--dataset",
        choices=("mitdb", "synthetic"),
        default=RunConfig.dataset,
        help="MIT-BIH Arrhythmia Database, or the embedded synthetic ECG",
    )
    parser.add_argument(
        "--data_dir",
        help="folder of the data set; without it $HYPERTINYPW_DATA/<dataset>",
    )
    parser.add_argument(
        "--download",
        action="store_true",
        help="download what is not in the folder",
    )


def _add_numbers(parser: Any, **numbers: tuple[int, str]) -> None:
    for name, (default, text) in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=text)


def train_command(options: argparse.Namespace) -> tuple[int, str, dict]:
    """Implements `hypertinypw train`."""
    config = RunConfig(
        dataset=options.dataset,
        stored=options.stored,
        width=options.width,
        hidden_units=tuple(options.hidden_units),
        code_dim=options.code_dim,
        code_bits=options.code_bits,
        block_size=options.block_size,
        use_skip=options.use_skip,
        schedule=Schedule(
            float_epochs=options.float_epochs,
            quantized_epochs=options.quantized_epochs,
            seed=options.seed,
        ),
    )
    return _run(config, options)


def demo_command(options: argparse.Namespace) -> tuple[int, str, dict]:
    """Implements `hypertinypw demo`."""
    schedule = Schedule(float_epochs=8, quantized_epochs=4, batch_size=32)
    config = RunConfig(width=32, schedule=schedule)
    options.data_dir, options.download = None, False
    return _run(config, options)


def _run(config: Any, options: argparse.Namespace) -> tuple[int, str, dict]:
    with stage("Starting TensorFlow"):
        from keras_hypertinypw import reporting, runs

    out = pathlib.Path(options.out)
    result = runs.run(
        config,
        out,
        data_dir=options.data_dir,
        download=options.download,
        command=options.command_line,
    )
    reporting.write_picture(out / "result.png", result)
    identical = result.get("verification", {}).get("identical", True)
    status = EXIT_OK if identical else EXIT_NEGATIVE
    return status, reporting.summary(result, out), result


def convert_command(options: argparse.Namespace) -> tuple[int, str, dict]:
    """Implements `hypertinypw convert`."""
    with stage("Starting TensorFlow"):
        from keras_hypertinypw import conversion_input, runs

    path = pathlib.Path(options.model)
    stored = False
    with stage("Loading"):
        if path.is_dir():
            model, config = runs.load_quantized(path)
            stored = config.stored
        else:
            model = conversion_input.load_and_quantize(
                path, options.calibration_data
            )
    with stage("Converting"):
        content = runs.to_tflite(
            model,
            stored=stored,
            residency=options.residency,
            synthesis=options.synthesis,
        )
    write_atomically(pathlib.Path(options.out), content)
    return _written(options.out, content)


def evaluate_command(options: argparse.Namespace) -> tuple[int, str, dict]:
    """Implements `hypertinypw evaluate`."""
    from keras_hypertinypw import scoring

    content = _read(options.model)
    dataset = scoring.DATASETS[options.dataset]
    validation, test = (
        dataset.load(
            split, data_dir=options.data_dir, download=options.download
        )
        for split in ("validation", "test")
    )
    scores, arena_bytes = scoring.evaluate(content, validation, test)
    record = {**scores.to_dict(), "arena_bytes": arena_bytes}
    return EXIT_OK, str(scores), record


def footprint_command(options: argparse.Namespace) -> tuple[int, str, dict]:
    """Implements `hypertinypw footprint`."""
    from keras_hypertinypw.footprint import footprint
    from keras_hypertinypw.interpreter import Interpreter

    content = _read(options.model)
    sizes = footprint(content)  # Bad files fail here, before TFLM starts.
    with Interpreter(content) as interpreter:
        sizes = dataclasses.replace(
            sizes, arena_bytes=interpreter.arena_used_bytes
        )
    return EXIT_OK, str(sizes), sizes.to_dict()


def verify_command(options: argparse.Namespace) -> tuple[int, str, dict]:
    """Implements `hypertinypw verify`."""
    from keras_hypertinypw.verification import verify

    result = verify(_read(options.model))
    status = EXIT_OK if result.identical else EXIT_NEGATIVE
    return status, str(result), dataclasses.asdict(result)


def materialize_command(options: argparse.Namespace) -> tuple[int, str, dict]:
    """Implements `hypertinypw materialize`."""
    from keras_hypertinypw.materialize import materialize

    content = materialize(_read(options.model))
    write_atomically(pathlib.Path(options.out), content)
    return _written(options.out, content)


def _read(path: str) -> bytes:
    return pathlib.Path(path).read_bytes()


def _written(path: str, content: bytes) -> tuple[int, str, dict]:
    text = f"Wrote {path}, {len(content):,} B."
    return EXIT_OK, text, {"path": path, "num_bytes": len(content)}
