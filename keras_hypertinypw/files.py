"""Files that are whole or absent."""

from __future__ import annotations

import errno
import os
import pathlib

_MAX_LINKS = 40  # As Linux; a circle of links has no end.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(path: pathlib.Path, content: bytes) -> None:
    """Writes a file under a temporary name, then renames it.

    Args:
        path: Destination; its folder is created, and a link is followed.
        content: What the file will hold.

    Raises:
        OSError: If it cannot be written; what was there before stays.
    """
    try:
        # Of the file alone: what leads to the folder may be no ordinary link.
        for _ in range(_MAX_LINKS):
            if not path.is_symlink():
                break
            path = path.parent / path.readlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
    except OSError as error:
        way_out = "Check the path and its permissions"
        if error.errno in _FULL:
            way_out = "Free some space there"
        raise OSError(
            f"Expected to write '{path}', {len(content):,} B. Received: "
            f"{error.strerror}. {way_out}, or choose another place, and give "
            "the same command again."
        ) from error


def _replace(path: pathlib.Path, content: bytes) -> None:
    # Hidden, and of this process alone: others may write the same file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            # Else the name may survive a power failure, and not the content.
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
