"""The command line in processes of its own: started, watched, ended."""

from __future__ import annotations

import io
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from faults import last_message, normalize

from keras_hypertinypw.checkpoint import Checkpoint

# Two epochs in float, so that there is a middle; 38 steps each.
TRAIN = (
    *("train", "--dataset=synthetic", "--width=8"),
    *("--float_epochs=2", "--quantized_epochs=1"),
)
STEPS = 38


class Command:
    """A running `hypertinypw`.

    Args:
        arguments: Of the command.
        largest_file: Bytes that it may write to one file.
    """

    def __init__(
        self, *arguments: object, largest_file: int | None = None
    ) -> None:
        self.err = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "keras_hypertinypw", *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=_prepared(largest_file),
        )

    def interrupt_at(self, text: str, number: int, later: float = 0) -> None:
        """Sends a signal when stderr shows a text, or some seconds later."""
        while text not in self.err:
            part = os.read(self._process.stderr.fileno(), 4096)
            assert part, f"No '{text}' in:\n{self.err[-3000:]}"
            self.err += part.decode("utf-8", "replace")
        time.sleep(later)
        self._process.send_signal(number)

    def finish(self) -> int:
        """Waits for the end; returns the exit status, as shells count."""
        with self._process.stderr as stream:
            self.err += io.TextIOWrapper(stream, "utf-8", "replace").read()
        status = self._process.wait()
        assert "Traceback" not in self.err, self.err[-3000:]
        return status if status >= 0 else 128 - status

    def message(self, folder: pathlib.Path) -> str:
        """Returns what stands behind the progress."""
        return normalize(last_message(self.err), folder)

    def first_step(self, phase: str) -> int | None:
        """Returns where a phase's progress begins, if it shows any."""
        found = re.search(rf"{phase}: .*?(\d+)/\d+ \[", self.err)
        return int(found[1]) if found else None


def _prepared(largest_file: int | None) -> Callable[[], None]:
    def prepare() -> None:
        # A shell ignores SIGINT for what it runs in the background.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if largest_file is not None:
            limits = (largest_file, resource.RLIM_INFINITY)
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    return prepare


def run(*arguments: object, largest_file: int | None = None) -> Command:
    """Runs a command to its end, which must be good."""
    command = Command(*arguments, largest_file=largest_file)
    assert command.finish() == 0, command.err[-3000:]
    return command


def require_whole_files(folder: pathlib.Path) -> set[str]:
    """Reads every file below a folder; returns their names."""
    names = set()
    for path in folder.rglob("*"):
        if path.is_dir():
            continue
        names.add(path.name)
        content = path.read_bytes()
        if path.suffix == ".json":
            json.loads(content)
        elif path.suffix == ".npz":
            Checkpoint.load(path)
        elif path.suffix == ".tflite":
            assert content[4:8] == b"TFL3"
        elif path.suffix == ".html":
            assert content.rstrip().endswith(b"</html>")
        else:
            assert path.name == "result.png", path
            assert content.endswith(b"IEND\xaeB`\x82")
    return names


def finished_epochs(out: pathlib.Path, phase: str) -> int:
    """Returns how many epochs a folder's checkpoint has."""
    path = out / "checkpoints" / f"{phase}.npz"
    return len(Checkpoint.load(path).records) if path.exists() else 0
