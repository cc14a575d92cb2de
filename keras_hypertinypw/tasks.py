"""The data sets to train on, and what suits each."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import operator
import os
from collections.abc import Callable
from typing import Literal

import numpy as np

from keras_hypertinypw.datasets import augmentation
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.run_config import Schedule


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set, and how a network is trained and scored on it.

    Attributes:
        source: Its `load`, as `"module.name"` below `datasets`; the module,
            which may need a reader of a file format, is imported when data
            are loaded.
        title: What the data set is.
        purpose: What a network learns there, as the end of "A network that".
        window: What a window is.
        group: What a group of windows is.
        protocol: How it is scored: `"beats"` as `evaluation.beats` says,
            `"classes"` as `evaluation.class_scores` says.
        multi_label: Whether a window can have several classes.
        network: Name of a function of `models`.
        schedule: What a training takes if nothing else is said.
        augment: Changes the windows in training.
    """

    source: str
    title: str
    purpose: str = "tells heartbeats apart"
    window: str = "beat"
    group: str = "patient"
    protocol: Literal["beats", "classes"] = "beats"
    multi_label: bool = False
    network: str = "ecg_network"
    schedule: Schedule = Schedule()
    augment: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = (
        None
    )

    @property
    def macro_f1(self) -> str:
        """What to call the score that chooses epochs."""
        beats = self.protocol == "beats"
        return "macro-F1, 4 classes" if beats else "macro-F1"

    def load(
        self,
        split: str,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        download: bool = False,
    ) -> Windows:
        """Loads a split; arguments and errors are those of the data set."""
        module_name, _, name = self.source.partition(".")
        module = importlib.import_module(
            f"keras_hypertinypw.datasets.{module_name}"
        )
        load = operator.attrgetter(name)(module)
        return load(split, data_dir=data_dir, download=download)


_APNEA = functools.partial(
    Task,
    purpose="tells minutes with sleep apnea from normal ones",
    window="minute",
    group="subject",
    protocol="classes",
)
_DIAGNOSES = functools.partial(
    Task,
    purpose="finds diagnoses in ten seconds of ECG",
    window="ECG",
    protocol="classes",
    multi_label=True,
)
_SPEECH = functools.partial(
    Task,
    purpose="tells spoken words apart",
    window="clip",
    group="speaker",
    protocol="classes",
    network="ds_cnn",
    schedule=Schedule(
        float_epochs=40, quantized_epochs=20, quantized_learning_rate=1e-3
    ),
    augment=augmentation.shift_and_mask,
)
TASKS = {
    "mitdb": Task("mitdb.load", "MIT-BIH Arrhythmia Database"),
    "synthetic": Task("synthetic.load", "the embedded synthetic ECG"),
    "apnea_ecg": _APNEA(
        "apnea_ecg.load",
        "Apnea-ECG Database, waveforms",
        network="long_ecg_network",
    ),
    "apnea_rr": _APNEA("apnea_rr.load", "Apnea-ECG Database, RR intervals"),
    "ptbxl": _DIAGNOSES("ptbxl.load", "PTB-XL, twelve leads"),
    "ptbxl_ii": _DIAGNOSES("ptbxl.load_lead_ii", "PTB-XL, lead II alone"),
    "speech_commands": _SPEECH(
        "speech_commands.COMMANDS.load",
        "Speech Commands 2, ten words, unknown and silence",
    ),
    "speech_words": _SPEECH(
        "speech_commands.WORDS.load", "Speech Commands 2, all 35 words"
    ),
    "arabic_8": _SPEECH(
        "speech_commands.ARABIC.load", "Arabic Speech Commands, wav files"
    ),
    "arabic_40": _SPEECH(
        "mfcc_arrays.ARABIC_40_WORDS.load", "40 Arabic words, MFCC"
    ),
    "speech_v1": _SPEECH(
        "mfcc_arrays.SPEECH_COMMANDS_V1.load",
        "Speech Commands 1, nine words, MFCC",
        augment=functools.partial(
            augmentation.shift_and_mask, max_shift=1, max_mask=2
        ),
    ),
}
