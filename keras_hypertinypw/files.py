"""Files and folders that are whole or absent."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

_MAX_LINKS = 40  # As Linux; a circle of links has no end.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cache_dir() -> pathlib.Path:
    """Returns the per-user folder of what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "keras_hypertinypw"


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
        raise _explained(path, len(content), error) from error


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes plain values as JSON, one to a line, like `write_atomically`."""
    write_atomically(path, (json.dumps(value, indent=1) + "\n").encode())


def require_absent(folder: pathlib.Path) -> None:
    """Checks that there is room for a new folder.

    Raises:
        FileExistsError: If something is there, but for an empty folder.
    """
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if (folder.exists() or folder.is_symlink()) and not is_empty:
        raise FileExistsError(
            "Expected a new or empty folder to export into. Received: "
            f"'{folder}', which is neither. Choose another one, or delete it."
        )


def write_folder(path: pathlib.Path, files: Mapping[str, bytes]) -> None:
    """Writes a folder under a temporary name, then renames it.

    Args:
        path: Destination, absent or an empty folder.
        files: Content by path in the folder, with `/` between names.

    Raises:
        OSError: If it cannot be written; then nothing is left of it.
    """
    # A link stays what it is, and '.' has no name.
    path = path.resolve()
    temporary = _temporary_name(path)
    try:
        for name, content in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            _write(temporary / name, content)
        os.replace(temporary, path)
    except OSError as error:
        size = sum(map(len, files.values()))
        raise _explained(path, size, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _explained(path: pathlib.Path, size: int, error: OSError) -> OSError:
    way_out = "Check the path and its permissions"
    if error.errno in _FULL:
        way_out = "Free some space there"
    return OSError(
        f"Expected to write '{path}', {size:,} B. Received: "
        f"{error.strerror}. {way_out}, or choose another place, and give "
        "the same command again."
    )


def _temporary_name(path: pathlib.Path) -> pathlib.Path:
    # Hidden, and of this process alone: others may write the same.
    return path.with_name(f".{path.name}.{os.getpid()}")


def _replace(path: pathlib.Path, content: bytes) -> None:
    temporary = _temporary_name(path)
    try:
        _write(temporary, content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: pathlib.Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        # Else a name may survive a power failure, and not the content.
        os.fsync(file.fileno())
