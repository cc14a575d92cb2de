"""Speech commands from wav files: one window of 49 x 10 MFCC per clip.

Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition",
arXiv 1804.03209, 2018, version 0.02; CC BY 4.0, Google. Ghandoura, Hjabo and
Al Dakkak, "Building and benchmarking an Arabic Speech Commands dataset for
small-footprint keyword spotting", 2021; CC BY 4.0. Any folder with a folder of
wav files (16 kHz, mono, 16 bit) for each word can be loaded likewise.

Splits: `clip_splits.py`; coefficients: `mfcc.py`. Clips shorter than a second
get zeros at their end, longer ones are cut there.
"""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib

import numpy as np

from keras_hypertinypw.datasets import (
    archives,
    clip_splits,
    mfcc,
    speech_clips,
    splits,
    windows,
)
from keras_hypertinypw.datasets import download as downloads
from keras_hypertinypw.datasets.speech_clips import SILENCE, Clip

KEYWORDS = (
    *("yes", "no", "up", "down", "left"),
    *("right", "on", "off", "stop", "go"),
)
ALL_WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five"),
    *("follow", "forward", "four", "go", "happy", "house", "learn", "left"),
    *("marvin", "nine", "no", "off", "on", "one", "right", "seven", "sheila"),
    *("six", "stop", "three", "tree", "two", "up", "visual", "wow", "yes"),
    "zero",
)
UNKNOWN = "unknown"

# The publisher has no checksum; this one is of TensorFlow Datasets 4.9.10,
# datasets/speech_commands/checksums.tsv, and of torchaudio.
VERSION_2 = archives.Archive(
    url="http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
    sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
    num_bytes=2_428_923_189,
)

# Each in percent of a split's keywords, as in TensorFlow's speech_commands
# example and in the published test set of 12 classes.
_UNKNOWN_PERCENTAGE = 10
_SILENCE_PERCENTAGE = 10
_SEED = 0


@dataclasses.dataclass(frozen=True)
class SpeechFolder:
    """A data set that is a folder with a folder of wav files for each word.

    Attributes:
        name: Of its folder, as `data_folder` takes it.
        words: Its classes; without any, all words in the folder, sorted.
        with_others: Whether to add the classes "unknown", clips of other
            words drawn at random, and "silence", seconds drawn from the
            recordings in `_background_noise_` at random volume; of each as
            many as 10 % of the split's keywords. Equal folders give equal
            draws (the published test set drew others), and splits draw from
            different parts of a recording.
        archive: What to download, if there is an address.
    """

    name: str
    words: tuple[str, ...] = ()
    with_others: bool = False
    archive: archives.Archive | None = None

    def load(
        self,
        split: str,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        download: bool = False,
    ) -> windows.Windows:
        """Loads the clips of a split.

        The coefficients are kept in the user's cache folder
        (`$XDG_CACHE_HOME/keras_hypertinypw`) until a file's size or time of
        change is another.

        Args:
            split: `"train"`, `"validation"` or `"test"`.
            data_dir: Folder with the words; without it
                `$HYPERTINYPW_DATA/<name>`.
            download: Whether to download a folder that is absent or empty.

        Returns:
            Windows with `x` of shape `(num_clips, 49, 10, 1)`, 50 frames a
            second, each coefficient of mean 0 and variance 1 over the
            training clips; and speakers as `groups`, of silence its recording.

        Raises:
            ConnectionError: If a download fails.
            FileNotFoundError: If words, clips or noise are missing.
            ValueError: If the split is unknown, or a wav file or a list of
                clips is of another kind or damaged.
        """
        splits.check_split(split)
        folder = downloads.data_folder(self.name, data_dir)
        names = clip_splits.read_splits(folder)
        if download and self.archive is not None and not any(names.values()):
            archives.download_folder(self.archive, folder)
            names = clip_splits.read_splits(folder)
        classes = self._classes(folder, names)
        train = self._clips(folder, names, "train")
        x = speech_clips.features(folder, train, f"{self.name}-train")
        mean, deviation = x.mean((0, 1), np.float64), x.std((0, 1), np.float64)
        clips = train
        if split != "train":
            clips = self._clips(folder, names, split)
            x = speech_clips.features(folder, clips, f"{self.name}-{split}")
        return windows.Windows(
            x=((x - mean) / deviation).astype(np.float32)[..., np.newaxis],
            y=np.array([classes.index(clip.label) for clip in clips]),
            groups=np.array([clip.group for clip in clips]),
            classes=classes,
            fs=mfcc.FRAME_RATE,
        )

    def _classes(
        self, folder: pathlib.Path, names: dict[str, list[str]]
    ) -> tuple[str, ...]:
        present = {
            clip_splits.word_of(name)
            for split in splits.SPLITS
            for name in names[split]
        }
        missing = [word for word in self.words if word not in present]
        if missing or not present:
            raise self._missing(
                f"a folder of wav files for each word in '{folder}'",
                ", ".join(missing) or "all words",
            )
        words = self.words or tuple(sorted(present))
        return (*words, UNKNOWN, SILENCE) if self.with_others else words

    def _clips(
        self, folder: pathlib.Path, names: dict[str, list[str]], split: str
    ) -> list[Clip]:
        clips, others = [], []
        for name in names[split]:
            word = clip_splits.word_of(name)
            speaker = clip_splits.speaker_of(name)
            if not self.words or word in self.words:
                clips.append(Clip(name, word, speaker))
            else:
                others.append(Clip(name, UNKNOWN, speaker))
        if not clips:
            raise ValueError(
                f"Expected clips for the split '{split}' in '{folder}'. "
                "Received: none. Add clips, or name those of each split in "
                f"{', '.join(clip_splits.CSV_FILES.values())}."
            )
        if self.with_others:
            rng = np.random.default_rng([_SEED, splits.SPLITS.index(split)])
            count = math.ceil(len(clips) * _UNKNOWN_PERCENTAGE / 100)
            drawn = np.sort(rng.permutation(len(others))[:count])
            silence = math.ceil(len(clips) * _SILENCE_PERCENTAGE / 100)
            clips += [others[index] for index in drawn]
            clips += speech_clips.silence(folder, split, silence, rng)
        return clips

    def _missing(self, expected: str, missing: str) -> FileNotFoundError:
        way_out = (
            "It has no address to download from: copy the data set there"
            if self.archive is None
            else f"Delete the folder and load with {downloads.DOWNLOAD}, "
            f"or unpack {self.archive.url} there"
        )
        return FileNotFoundError(
            f"Expected {expected}. Missing: {missing}. {way_out}, or set "
            f"{downloads.DATA_VARIABLE} to the folder that holds '{self.name}'."
        )


# Ten keywords, "unknown" and "silence", as the published results have them.
COMMANDS = SpeechFolder("speech_commands", KEYWORDS, True, VERSION_2)
# All 35 words of version 0.02.
WORDS = SpeechFolder("speech_commands", ALL_WORDS, archive=VERSION_2)
# As many words as there are, of 40.
ARABIC = SpeechFolder("arabic_speech_commands")

load = COMMANDS.load
