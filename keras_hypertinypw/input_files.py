"""Reads arrays that users name on the command line."""

from __future__ import annotations

import tokenize
import zipfile

import numpy as np

from keras_hypertinypw.errors import ConversionError


def load_array(flag: str, path: str) -> np.ndarray:
    """Returns the array of a `.npy` file, or the only one of a `.npz`.

    Args:
        flag: That named the file, for errors.
        path: Of the file.

    Raises:
        ConversionError: If there is no such file, or another in it.
    """
    try:
        array = np.load(path, allow_pickle=False)
        if isinstance(array, np.lib.npyio.NpzFile):
            with array:
                if len(array.files) == 1:
                    return array[array.files[0]]
    except OSError as error:
        received = f"'{path}': {error.strerror or error}"
    except (
        ValueError,
        EOFError,
        SyntaxError,  # A header that numpy parses as Python.
        tokenize.TokenError,
        zipfile.BadZipFile,
    ):
        received = f"'{path}' of another kind, or damaged"
    else:
        if isinstance(array, np.ndarray):
            return array
        received = f"'{path}' of several arrays"
    raise ConversionError(
        f"Expected {flag} as a .npy file of one array. Received: "
        f"{received}. Write it with numpy.save."
    )
