"""Faults and bad inputs, each with what a user sees; see `README.md` here."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import pathlib
import re
from collections.abc import Callable

from keras_hypertinypw import cli

# What the package raises on purpose; anything else fails the test.
EXPLAINED = (ImportError, *cli._EXPLAINED)

ROOT = pathlib.Path(__file__).resolve().parent.parent
_PREFIX = r"^hypertinypw( \w+)?: "


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something bad, done to the public API or the command line.

    Attributes:
        name: Short description, for the table.
        provoke: Does it in an empty folder. It raises what the API raises,
            or returns what the command printed, or what happens instead.
        is_refused: Whether the text is a message.
    """

    name: str
    provoke: Callable[[pathlib.Path], str | None]
    is_refused: bool

    def message(self, folder: pathlib.Path) -> str:
        """Does it, and returns what the user sees."""
        try:
            text = self.provoke(folder)
        except EXPLAINED as error:
            text = f"{type(error).__name__}: {error}"
        if text is None:
            raise AssertionError(f"Not refused: {self.name}.")
        return normalize(text, folder)

    def row(self, message: str) -> str:
        """Returns the row of the table."""
        text = as_code(message) if self.is_refused else message
        return f"| {self.name} | {text} |"


class Registry(list[Fault]):
    """The faults of one kind, in the order of the table.

    Args:
        is_refused: Whether they end in a message.
    """

    def __init__(self, is_refused: bool = True) -> None:
        super().__init__()
        self.is_refused = is_refused

    def fault(self, name: str):
        """Registers the decorated function."""

        def register(provoke):
            self.append(Fault(name, provoke, self.is_refused))
            return provoke

        return register


def normalize(text: str, folder: pathlib.Path) -> str:
    """Replaces what differs from run to run, visibly."""
    text = text.replace(str(folder), "<folder>").replace(str(ROOT), "<project>")
    # Keras numbers layers through the process.
    numbered = r"'(quantize_layer|tf\S+add)(_\d+)?'"
    return re.sub(numbered, r"'\1_<n>'", text).strip()


def as_code(text: str) -> str:
    """Formats a text as code in one cell of a Markdown table."""
    text = text.replace("\n", " ⏎ ").replace("|", "\\|")
    return f"`` {text} ``"


def run_cli(*arguments: object) -> tuple[int, str, str]:
    """Runs the command line here; returns status, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            status = stopped.code
    return status, out.getvalue(), err.getvalue()


def refused(*arguments: object) -> str:
    """Runs a command that must be refused; returns its message."""
    status, out, err = run_cli(*arguments)
    assert (status, out) == (2, ""), (status, out)
    return last_message(err)


def last_message(err: str) -> str:
    """Returns what is on stderr behind usage and progress."""
    starts = [match.start() for match in re.finditer(_PREFIX, err, re.M)]
    assert starts, err
    return err[starts[-1] :].strip()
