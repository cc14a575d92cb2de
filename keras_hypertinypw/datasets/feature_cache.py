"""Features that take long to compute, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import io
import pathlib
import warnings
import zipfile
from collections.abc import Callable

import numpy as np

from keras_hypertinypw import files


def cached(
    name: str, key: bytes, compute: Callable[[], np.ndarray]
) -> np.ndarray:
    """Returns what `compute` returned for this key before, or does now.

    A damaged file in the cache is replaced. One that cannot be written is a
    warning, and the features are there all the same.

    Args:
        name: Begins the file's name.
        key: All that the features depend on.
        compute: Returns the features.
    """
    digest = hashlib.sha256(key).hexdigest()[:20]
    path = files.cache_dir() / f"{name}-{digest}.npz"
    kept = _read(path)
    if kept is not None:
        return kept
    features = compute()
    buffer = io.BytesIO()
    np.savez(buffer, features=features)
    try:
        files.write_atomically(path, buffer.getvalue())
    except OSError as error:
        warnings.warn(
            f"The features of {name} will be computed anew every time. {error}",
            stacklevel=2,
        )
    return features


def _read(path: pathlib.Path) -> np.ndarray | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["features"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
