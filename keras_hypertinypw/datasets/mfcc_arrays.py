"""Speech commands as arrays of mel-frequency cepstral coefficients.

Two data sets, each one `.npz` file with `X`, `y`, `words`, `split` (0 train,
1 validation, 2 test) and the speaker of every clip. Both splits keep speakers
apart, and both data sets are CC BY 4.0.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import zipfile
from collections.abc import Callable

import numpy as np

from keras_hypertinypw.datasets import download as downloads
from keras_hypertinypw.datasets import splits, windows


@dataclasses.dataclass(frozen=True)
class MfccArrays:
    """A data set in one file of arrays.

    Attributes:
        name: Of its folder, as `data_folder` takes it.
        file_name: Of its file there.
        frames_axis: Axis of a clip that holds the frames, 0 or 1; the other
            one holds the coefficients.
        fs: Frames in a second, in hertz.
        speakers: Returns the speaker of every clip, `(num_clips,)`.
    """

    name: str
    file_name: str
    frames_axis: int
    fs: float
    speakers: Callable[[np.lib.npyio.NpzFile], np.ndarray]

    def load(
        self,
        split: str,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        download: bool = False,
    ) -> windows.Windows:
        """Loads the clips of a split.

        Args:
            split: `"train"`, `"validation"` or `"test"`.
            data_dir: Folder with the file; without it
                `$HYPERTINYPW_DATA/<name>`.
            download: Not possible: the arrays have no address of their own.

        Returns:
            Windows with `x` of shape `(num_clips, frames, coefficients, 1)`,
            each coefficient of mean 0 and variance 1 over the training
            clips, and speakers as `groups`.

        Raises:
            FileNotFoundError: If the file is missing.
            ValueError: If the split is unknown, or the file is damaged or
                not what its name says.
        """
        index = splits.SPLITS.index(splits.check_split(split))
        path = downloads.data_folder(self.name, data_dir) / self.file_name
        if not path.is_file():
            raise FileNotFoundError(
                f"Expected the file {path}. It has no address to download "
                f"from (download={download}): copy it there, or pass the "
                "folder that holds it as `data_dir`."
            )
        x, y, groups, parts, words = self._read(path)
        if self.frames_axis == 1:
            x = x.swapaxes(1, 2)
        train = x[parts == 0]
        x = (x[parts == index] - train.mean((0, 1))) / train.std((0, 1))
        return windows.Windows(
            x=x[..., np.newaxis].astype(np.float32),
            y=y[parts == index].astype(np.int64),
            groups=groups[parts == index],
            classes=tuple(words.tolist()),
            fs=self.fs,
        )

    def _read(self, path: pathlib.Path) -> tuple[np.ndarray, ...]:
        try:
            with np.load(path, allow_pickle=False) as file:
                return (
                    file["X"].astype(np.float64),
                    file["y"],
                    self.speakers(file),
                    file["split"],
                    file["words"],
                )
        except (ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"Expected {path} with arrays X, y, words, split and the "
                f"speakers. Received: {error}. Copy the file again."
            ) from error


def _speakers_of_files(file: np.lib.npyio.NpzFile) -> np.ndarray:
    """`yes/004ae714_nohash_0.wav` is of speaker `004ae714`."""
    names = [str(name).rpartition("/")[2] for name in file["files"]]
    return np.array([name.partition("_")[0] for name in names])


# Ghandoura, Hjabo and Al Dakkak, "Building and benchmarking an Arabic Speech
# Commands dataset for small-footprint keyword spotting", 2021. Frames of
# 40 ms, every 20 ms.
ARABIC_40_WORDS = MfccArrays(
    "arabic_speech_commands_mfcc",
    "arabic_40words_mfcc49x10.npz",
    0,
    50.0,
    lambda file: file["speaker"],
)
# Warden, "Speech Commands: A dataset for limited-vocabulary speech
# recognition", 2018; version 1, official hash split. 11 frames a second.
SPEECH_COMMANDS_V1 = MfccArrays(
    "speech_commands_v1_mfcc",
    "gsc_v1_9words_mfcc20x11.npz",
    1,
    11.0,
    _speakers_of_files,
)
