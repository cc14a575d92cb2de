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

from absl.flags import argparse_flags

from keras_hypertinypw import (
    commands,
    interruption,
    progress,
    training_commands,
)
from keras_hypertinypw.cli_models import add_model_commands
from keras_hypertinypw.cli_training import add_training_commands

EXIT_USAGE, EXIT_SIGNAL = 2, 128
_RESUMABLE = (
    training_commands.train,
    training_commands.fit,
    training_commands.reproduce,
    training_commands.demo,
)

# Exceptions whose text is for the user; any other is a bug, with its trace.
_EXPLAINED = (ValueError, TypeError, OSError, RuntimeError)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    # TensorFlow reads it when it is imported, later, by the commands.
    os.environ.setdefault(progress.LOG_VARIABLE, progress.QUIET)
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
    if options.function in _RESUMABLE:
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
    add_training_commands(subparsers)
    add_model_commands(subparsers)
    return parser
