"""The command line, run in here or in a process of its own."""

import json
import pathlib
import subprocess
import sys

from keras_hypertinypw import cli

EXAMPLE = (
    pathlib.Path(__file__).resolve().parent.parent
    / "examples/mitdb/generated.tflite"
)
STORED = EXAMPLE.with_name("stored.tflite")


def run_process(*arguments):
    """Runs the command as a user would, in a process of its own."""
    command = [sys.executable, "-m", "keras_hypertinypw", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def run_json(capsys, *arguments):
    status = cli.main([*arguments, "--json"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    return status, json.loads(lines[0])
