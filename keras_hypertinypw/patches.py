"""Updates of a deployed file: what differs, and nothing else.

The format is the table in `docs/api/files.md`.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

MAGIC = b"HTPP"
_HEADER = struct.Struct("<4sIII")
_RUN = struct.Struct("<II")


def make_patch(old: bytes, new: bytes) -> bytes:
    """Returns what turns one file into another of the same size.

    Args:
        old: Bytes of the file that is deployed.
        new: Bytes of the file that is wanted.

    Raises:
        ValueError: If the sizes differ.
    """
    if len(old) != len(new):
        raise ValueError(
            "Expected two files of the same size, as of models that differ in "
            f"their codes alone. Received: {len(old):,} B and {len(new):,} B. "
            "Deploy the whole new file."
        )
    differs = np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8)
    runs = _runs(np.flatnonzero(differs))
    body = b"".join(
        _RUN.pack(start, end - start) + new[start:end] for start, end in runs
    )
    return _HEADER.pack(MAGIC, _crc(old), _crc(new), len(runs)) + body


def apply_patch(old: bytes, patch: bytes) -> bytes:
    """Returns the file that `make_patch` was given as new.

    Args:
        old: Bytes of the file that is deployed.
        patch: What `make_patch` returned for it.

    Raises:
        ValueError: If the patch is damaged, or of another file.
    """
    if len(patch) < _HEADER.size or not patch.startswith(MAGIC):
        raise ValueError(
            f"Expected a patch, which starts with {MAGIC!r}. Received: "
            f"{len(patch):,} B that start with {patch[:4]!r}. Make it with "
            "`make_patch`."
        )
    _, old_crc, new_crc, num_runs = _HEADER.unpack_from(patch)
    if _crc(old) != old_crc:
        raise ValueError(
            f"Expected the file that the patch was made for, of CRC-32 "
            f"{old_crc:08x}. Received: {_crc(old):08x}. Take that file, or "
            "make the patch anew."
        )
    new = bytearray(old)
    position = _HEADER.size
    for _ in range(num_runs):
        start, length = _read_run(patch, position)
        position += _RUN.size
        data = patch[position : position + length]
        if len(data) != length or start + length > len(new):
            raise _damaged()
        new[start : start + length] = data
        position += length
    if position != len(patch) or _crc(bytes(new)) != new_crc:
        raise _damaged()
    return bytes(new)


def _runs(places: np.ndarray) -> list[tuple[int, int]]:
    """Returns starts and ends; a gap shorter than a run's head is bridged."""
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > _RUN.size) + 1
    groups = np.split(places, breaks)
    return [(int(group[0]), int(group[-1]) + 1) for group in groups]


def _read_run(patch: bytes, position: int) -> tuple[int, int]:
    if position + _RUN.size > len(patch):
        raise _damaged()
    return _RUN.unpack_from(patch, position)


def _crc(content: bytes) -> int:
    return zlib.crc32(content)


def _damaged() -> ValueError:
    return ValueError(
        "Expected a whole patch. Received: a damaged one. Transfer it again."
    )
