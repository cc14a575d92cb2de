"""What long steps show on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from tqdm import tqdm

from keras_hypertinypw import interruption

# TensorFlow's own variable; this value leaves only what ends the process.
LOG_VARIABLE, QUIET = "TF_CPP_MIN_LOG_LEVEL", "3"

_SECONDS_PER_LINE = 10.0
_STDERR = 2  # Its number: TensorFlow knows no other.


class _Lines:
    """A file that is no terminal: what would overwrite a line begins one."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = ""

    def write(self, text: str) -> None:
        # How a terminal's cursor goes up.
        text = text.replace("\x1b[A", "").strip()
        if text and text != self._last:
            self._stream.write(f"{text}\n")
            self._last = text

    def flush(self) -> None:
        self._stream.flush()


def progress_bar(iterable: Iterable | None = None, **options: Any) -> tqdm:
    """Returns a `tqdm`; where stderr is no terminal, lines now and then.

    Args:
        iterable: What to count, if anything.
        **options: Of `tqdm`.
    """
    if not sys.stderr.isatty():
        lines = {"file": _Lines(sys.stderr), "mininterval": _SECONDS_PER_LINE}
        options = lines | options
    return tqdm(iterable, **options)


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """Shows on stderr that a step has begun, and when it is done."""
    with progress_bar(
        total=1, desc=name, bar_format="{desc}: {n}/{total}"
    ) as bar:
        yield
        bar.update()


@contextlib.contextmanager
def starting_tensorflow() -> Iterator[None]:
    """Shows that TensorFlow is imported, without its notices on stderr.

    It gives some before it reads how much to log. They appear if the import
    fails, or if the user set `TF_CPP_MIN_LOG_LEVEL` to less than 3. Signals
    wait until it is imported.
    """
    with stage("Starting TensorFlow"), interruption.held():
        if os.environ.get(LOG_VARIABLE) != QUIET:
            yield
            return
        with tempfile.TemporaryFile() as notices:
            stderr = os.dup(_STDERR)
            os.dup2(notices.fileno(), _STDERR)
            try:
                yield
            except Exception:
                notices.seek(0)
                os.write(stderr, notices.read())
                raise
            finally:
                os.dup2(stderr, _STDERR)
                os.close(stderr)
