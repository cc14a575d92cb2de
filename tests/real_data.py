"""Where the real data lies: beside the checkout, or where CI says."""

import os
import pathlib

import pytest

from keras_hypertinypw.datasets.download import DATA_VARIABLE

BESIDE = pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"


def require(name):
    """Returns a data set's folder, or skips and says what is missing."""
    folder = pathlib.Path(os.environ.get(DATA_VARIABLE) or BESIDE) / name
    if not folder.is_dir():
        pytest.skip(
            f"No {name} in {folder.parent}: set {DATA_VARIABLE} to the folder "
            f"that holds {name}/."
        )
    return folder
