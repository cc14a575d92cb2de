"""Embedded synthetic ECG: N, S, V and F beats of made-up patients.

For demonstrations and small tests: nothing to download, made in seconds, with
the classes, shapes and features of `mitdb`. A beat is a sum of Gaussians, one
per wave, as in McSharry, Clifford, Tarassenko and Smith, "A dynamical model
for generating synthetic electrocardiogram signals", IEEE TBME 50(3), 2003; we
place the waves in time directly instead of integrating their model. A result
on this data says nothing about patients.

* N: P, Q, R, S, T at sinus intervals with respiratory variation.
* S: early, with a P wave of another shape, without compensatory pause.
* V: early, wide, without P, T opposed to QRS, compensatory pause.
* F: slightly early; the waves of N and V blended.
"""

from __future__ import annotations

import dataclasses
import os

import numpy as np

from keras_hypertinypw.datasets import features, splits, windows

CLASSES = features.CLASSES
FS = 250.0  # Hz, of the signal before `features.beat_windows`.
NUM_PATIENTS = {"train": 16, "validation": 4, "test": 8}

_N, _S, _V, _F = range(4)
_MARGIN = 1.0  # Seconds of signal before the first and after the last beat.
_SPAN = (-0.45, 0.75)  # Seconds around a beat that its waves can reach.


@dataclasses.dataclass(frozen=True)
class Waves:
    """Gaussian waves of a beat, one entry per wave.

    Attributes:
        times: Centres relative to the R peak, in seconds.
        widths: Standard deviations, in seconds.
        amplitudes: Heights, in millivolts.
    """

    times: np.ndarray
    widths: np.ndarray
    amplitudes: np.ndarray

    def scaled(self, factor: float) -> Waves:
        """The same waves with `factor` times their amplitude."""
        return dataclasses.replace(self, amplitudes=factor * self.amplitudes)

    def jittered(self, rng: np.random.Generator) -> Waves:
        """The variation from beat to beat: 4 % in amplitude, 2 % in time."""
        return Waves(
            self.times * rng.normal(1, 0.02, len(self.times)),
            self.widths * np.exp(rng.normal(0, 0.03, len(self.widths))),
            self.amplitudes * rng.normal(1, 0.04, len(self.amplitudes)),
        )


@dataclasses.dataclass(frozen=True)
class Patient:
    """What stays the same in one patient.

    Attributes:
        sinus: Waves P, Q, R, S, T of a normal beat.
        ventricular: Waves of the ventricular focus: two of QRS, one T.
        ectopic_p: Amplitude of the P wave of S beats over that of N beats.
        interval: Mean sinus interval, in seconds.
        variability: Relative standard deviation of the sinus interval.
        class_probabilities: Of N, S, V, F; shape `(4,)`.
        noise: Standard deviation of muscle noise, in millivolts.
        wander: Amplitude of the respiratory baseline, in millivolts.
    """

    sinus: Waves
    ventricular: Waves
    ectopic_p: float
    interval: float
    variability: float
    class_probabilities: np.ndarray
    noise: float
    wander: float


def load(
    split: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    seed: int = 0,
    beats_per_patient: int = 300,
) -> windows.Windows:
    """Generates the beats of a split; patients of splits are disjoint.

    Args:
        split: `"train"` (16 patients), `"validation"` (4) or `"test"` (8).
        data_dir: Not used; there so that all data sets are called alike.
        download: Not used, likewise.
        seed: Seed of the whole data set; equal seeds give equal windows.
        beats_per_patient: Number of beats of each patient.

    Returns:
        Windows with `x` of shape `(num_beats, 256, 3)` at 128 Hz, see
        `features.beat_windows`, and patients as `groups`.

    Raises:
        ValueError: If `split` is unknown or `beats_per_patient` is below 1.
    """
    del data_dir, download
    first = 0
    for name in splits.SPLITS[: splits.SPLITS.index(splits.check_split(split))]:
        first += NUM_PATIENTS[name]
    parts = []
    for number in range(first, first + NUM_PATIENTS[split]):
        # A stream per patient: splits do not depend on each other's size.
        rng = np.random.default_rng([seed, number])
        ecg, beats, labels = generate_record(
            draw_patient(rng), beats_per_patient, rng
        )
        parts.append(
            windows.Windows(
                x=features.beat_windows(ecg, beats, FS),
                y=labels,
                groups=np.full(len(labels), f"synthetic{number:02d}"),
                classes=CLASSES,
                fs=features.FS,
            )
        )
    return windows.concatenate(parts)


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draws a patient's morphology, rhythm and noise."""
    r = rng.uniform(0.7, 1.4)
    sinus = Waves(
        times=np.array([-0.17, -0.030, 0.0, 0.030, 0.27])
        * rng.uniform(0.88, 1.12, 5),
        widths=np.array([0.022, 0.010, 0.012, 0.011, 0.050])
        * rng.uniform(0.8, 1.3, 5),
        amplitudes=np.array([0.13, -0.10, r, -0.25, 0.28])
        * np.append(rng.uniform(0.5, 1.5, 4), rng.uniform(-0.3, 1.5))
        / [1, 1, rng.uniform(0.9, 1.1), 1, 1],
    )
    # About one focus in three points downwards in this lead.
    sign = -1.0 if rng.random() < 0.35 else 1.0
    height = sign * r * rng.uniform(0.7, 1.5)
    ventricular = Waves(
        times=np.array([0.0, 0.085, 0.33]) * rng.uniform(0.85, 1.15, 3),
        widths=np.array([0.030, 0.035, 0.070]) * rng.uniform(0.75, 1.3, 3),
        amplitudes=height
        * np.array([1.0, -0.35, -0.35])
        * rng.uniform(0.6, 1.4, 3),
    )
    ectopy = rng.dirichlet([2.0, 2.0, 2.0]) * rng.uniform(0.15, 0.35)
    return Patient(
        sinus=sinus,
        ventricular=ventricular,
        ectopic_p=rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.9),
        interval=rng.uniform(0.65, 1.05),
        variability=rng.uniform(0.02, 0.07),
        class_probabilities=np.array([1 - ectopy.sum(), *ectopy]),
        noise=rng.uniform(0.02, 0.07),
        wander=rng.uniform(0.05, 0.3),
    )


def generate_record(
    patient: Patient, num_beats: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generates a patient's lead with its beats.

    Args:
        patient: Morphology, rhythm and noise.
        num_beats: Number of beats, at least 1.
        rng: Source of all variation.

    Returns:
        The lead in millivolts at `FS`, shape `(num_samples,)`; the sample
        index of each beat and its index into `CLASSES`, both int64 of shape
        `(num_beats,)`.

    Raises:
        ValueError: If `num_beats` is below 1.
    """
    if num_beats < 1:
        raise ValueError(
            f"Expected at least one beat. Received: num_beats={num_beats}."
        )
    labels = rng.choice(4, size=num_beats, p=patient.class_probabilities)
    labels[0] = _N  # The pause rules below look back by one beat.
    times = _MARGIN + draw_times(patient, labels, rng)
    ecg = np.zeros(int((times[-1] + _MARGIN) * FS) + 1)
    offsets = np.arange(int(_SPAN[0] * FS), int(_SPAN[1] * FS))
    intervals = np.diff(times, prepend=times[0] - patient.interval)
    for time, label, interval in zip(times, labels, intervals, strict=True):
        index = int(time * FS) + offsets
        seconds = index / FS - time
        inside = (index >= 0) & (index < len(ecg))
        wave = _draw_beat(patient, label, interval, seconds, rng)
        ecg[index[inside]] += wave[inside]
    ecg += _disturbances(patient, len(ecg), rng)
    # Reference annotations of real records are off by a few milliseconds too.
    marked = times + rng.normal(0, 0.004, num_beats)
    beats = (marked * FS + 0.5).astype(np.int64)
    return ecg, beats, labels.astype(np.int64)


def draw_times(
    patient: Patient, labels: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws beat times that fit the beats' classes.

    A premature beat shortens its interval to a fraction `c` of the sinus
    interval. After V and F follows the compensatory pause of `2 - c`; S
    resets the sinus node, and about one interval follows.

    Args:
        patient: Gives the sinus interval and its variability.
        labels: Index into `CLASSES` of each beat, shape `(num_beats,)`.
        rng: Source of the variation.

    Returns:
        Times in seconds, the first is 0; shape `(num_beats,)`.
    """
    num_beats = len(labels)
    breath = np.sin(0.25 * 2 * np.pi * patient.interval * np.arange(num_beats))
    drift = np.cumsum(rng.normal(0, 0.15, num_beats))
    drift = np.sin(drift)  # Bounded, correlated from beat to beat.
    sinus = patient.interval * (
        1
        + patient.variability
        * (breath + 0.7 * drift + 0.5 * rng.standard_normal(num_beats))
    )
    early = {_S: (0.55, 0.84), _V: (0.50, 0.82), _F: (0.84, 0.97)}
    factors = np.ones(num_beats)
    pause = 1.0
    for i, label in enumerate(labels):
        if label == _N:
            factors[i] = pause
            pause = 1.0
        else:
            factors[i] = rng.uniform(*early[label])
            pause = 2 - factors[i] if label != _S else rng.uniform(0.98, 1.1)
    intervals = np.maximum(factors * sinus, 0.25)
    return np.cumsum(intervals) - intervals[0]


def _draw_beat(
    patient: Patient,
    label: int,
    interval: float,
    seconds: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    sinus = patient.sinus.jittered(rng)
    # QT follows the rate (Bazett), PR shortens a little with it.
    rate = np.sqrt(np.clip(interval / patient.interval, 0.6, 1.4))
    sinus.times[4] *= rate
    if label == _S:
        sinus.amplitudes[0] *= patient.ectopic_p
        sinus.times[0] *= rng.uniform(0.75, 1.0)
    if label in (_N, _S):
        return _render(sinus, seconds)
    ventricular = patient.ventricular.jittered(rng)
    if label == _V:
        return _render(ventricular, seconds)
    share = rng.uniform(0.4, 0.6)
    return _render(sinus.scaled(1 - share), seconds) + _render(
        ventricular.scaled(share), seconds
    )


def _render(waves: Waves, seconds: np.ndarray) -> np.ndarray:
    z = (seconds[:, None] - waves.times) / waves.widths
    return np.exp(-0.5 * z * z) @ waves.amplitudes


def _disturbances(
    patient: Patient, num_samples: int, rng: np.random.Generator
) -> np.ndarray:
    seconds = np.arange(num_samples) / FS
    phase, mains_phase = rng.uniform(0, 2 * np.pi, 2)
    respiration = np.sin(2 * np.pi * 0.25 * seconds + phase)
    mains = np.sin(2 * np.pi * 50 * seconds + mains_phase)
    # Muscle noise comes in bursts: its level changes over seconds.
    knots = np.exp(rng.normal(0, 0.5, num_samples // int(2 * FS) + 2))
    level = np.interp(seconds, 2.0 * np.arange(len(knots)), knots)
    muscle = patient.noise * level * rng.standard_normal(num_samples)
    return patient.wander * respiration + 0.02 * mains + muscle
