"""Reads one dump of callgrind, written with `--compress-strings=no`."""

from __future__ import annotations

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Count:
    """Instructions of one phase.

    Attributes:
        total: All that were collected.
        inside: Those of calls into one library, with what these call.
    """

    total: int
    inside: int


def read(path: pathlib.Path, library: pathlib.Path) -> Count:
    """Returns the instructions of a dump, and of the calls into `library`.

    Calls within the library are part of the call that entered it. The library
    must not be entered again by what it calls: that would count twice.
    """
    total = inside = 0
    caller = callee = ""
    is_call = False
    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        if is_call:  # The line after `calls=` has the cost of the call.
            if callee == str(library) and caller != str(library):
                inside += int(line.split()[-1])
            callee, is_call = caller, False
        elif key == "ob":
            caller = callee = value
        elif key == "cob":
            callee = value
        elif key == "calls":
            is_call = True
        elif key.startswith("summary:"):
            total = int(line.split()[-1])
    return Count(total, inside)
