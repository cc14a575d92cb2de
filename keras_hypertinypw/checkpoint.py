"""How far a phase of training got, in one file that is whole or absent."""

from __future__ import annotations

import dataclasses
import io
import json
import pathlib
import zipfile

import numpy as np

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.files import write_atomically

_LISTS = ("weights", "optimizer", "best")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A phase after its last finished epoch.

    Attributes:
        records: What every epoch gave.
        weights: The model's, as `model.get_weights()`.
        optimizer: The optimizer's variables.
        best: The model's weights after the best epoch.
    """

    records: list[dict[str, float]]
    weights: list[np.ndarray]
    optimizer: list[np.ndarray]
    best: list[np.ndarray]

    def save(self, path: pathlib.Path) -> None:
        """Writes a `.npz` file.

        Raises:
            OSError: If it cannot be written; the one before stays.
        """
        arrays = {"records": np.array(json.dumps(self.records))}
        for name in _LISTS:
            for index, array in enumerate(getattr(self, name)):
                arrays[f"{name}/{index}"] = array
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: pathlib.Path) -> Checkpoint:
        """Inverts `save`.

        Raises:
            ConversionError: If the file is not what `save` wrote.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes())) as file:
                records = json.loads(str(file["records"]))
                lists: dict[str, list[np.ndarray]] = {n: [] for n in _LISTS}
                # In the order of the indices: a .npz keeps that of `save`.
                for key in file.files[1:]:
                    lists[key.split("/")[0]].append(file[key])
        except (
            ValueError,
            KeyError,
            EOFError,
            NotImplementedError,
            zipfile.BadZipFile,
        ) as error:
            raise ConversionError(
                f"Expected '{path}' as `hypertinypw train` wrote it. Received: "
                f"a damaged file: {error}. Delete it; the same `train` command "
                "then repeats that phase."
            ) from error
        return cls(records, **lists)
