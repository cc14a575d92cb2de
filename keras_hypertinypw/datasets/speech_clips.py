"""Clips of words and of silence, and their features."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Sequence

import numpy as np
import tqdm

from keras_hypertinypw.datasets import (
    clip_splits,
    feature_cache,
    mfcc,
    wav_files,
)

SILENCE = "silence"

# The part of every recording of noise that a split draws silence from, in
# percent of its length; a second fits into the shortest.
_NOISE_PARTS = {"train": (0, 80), "validation": (80, 90), "test": (90, 100)}
_LEAST_NOISE_SAMPLES = 10 * mfcc.CLIP_SAMPLES
_CHUNK_CLIPS = 64


@dataclasses.dataclass(frozen=True)
class Clip:
    """One second to load: of a word, or of noise as silence.

    Attributes:
        name: Of its file, relative to the data set's folder.
        label: Name of its class.
        group: Its speaker, or its recording of noise.
        start: First sample.
        volume: Factor of its samples.
    """

    name: str
    label: str
    group: str
    start: int = 0
    volume: float = 1.0


def silence(
    folder: pathlib.Path,
    split: str,
    count: int,
    rng: np.random.Generator,
) -> list[Clip]:
    """Draws seconds of noise at volumes from 0 to 1.

    Splits draw from different parts of each recording.

    Args:
        folder: Of the data set; recordings lie in `_background_noise_`.
        split: `"train"`, `"validation"` or `"test"`.
        count: Number of clips.
        rng: Draws recording, start and volume.

    Raises:
        FileNotFoundError: If there are no recordings.
        ValueError: If a recording is too short or of another kind.
    """
    noise = clip_splits.NOISE_FOLDER
    paths = sorted((folder / noise).glob("*.wav"))
    if not paths:
        raise FileNotFoundError(
            f"Expected recordings of noise, wav files, in '{folder / noise}'. "
            "Received: none. Copy that folder of the data set there."
        )
    # Sorted, so that each recording is read once.
    chosen = np.sort(rng.integers(len(paths), size=count))
    lengths = [_noise_length(path) for path in paths]
    clips = []
    for index in chosen:
        first, end = (
            lengths[index] * part // 100 for part in _NOISE_PARTS[split]
        )
        start = rng.integers(first, end - mfcc.CLIP_SAMPLES + 1)
        clips.append(
            Clip(
                name=f"{noise}/{paths[index].name}",
                label=SILENCE,
                group=f"{noise}/{paths[index].stem}",
                start=int(start),
                volume=float(rng.uniform(0, 1)),
            )
        )
    return clips


def _noise_length(path: pathlib.Path) -> int:
    length = len(wav_files.read_wav(path))
    if length < _LEAST_NOISE_SAMPLES:
        raise ValueError(
            f"Expected '{path}' to last at least "
            f"{_LEAST_NOISE_SAMPLES // mfcc.FS} s, so that each split has a "
            f"part of its own. Received: {length / mfcc.FS:.2f} s. Lengthen or "
            "delete it."
        )
    return length


def features(
    folder: pathlib.Path, clips: Sequence[Clip], name: str
) -> np.ndarray:
    """Returns the coefficients of clips, from the cache if they are there.

    Args:
        folder: Of the data set.
        clips: What to read, at least one.
        name: Of the split, for progress and the cache.

    Returns:
        float32 array of shape `(num_clips, 49, 10)`.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is of another kind.
    """
    return feature_cache.cached(
        name, _key(folder, clips), lambda: _compute(folder, clips, name)
    )


def _key(folder: pathlib.Path, clips: Sequence[Clip]) -> bytes:
    """Returns what the features depend on: files, draws and formulas."""
    lines = [str(folder.resolve())]
    for clip in clips:
        stat = (folder / clip.name).stat()
        lines.append(f"{clip} {stat.st_size} {stat.st_mtime_ns}")
    formulas = [
        pathlib.Path(path).read_bytes()
        for path in (mfcc.__file__, wav_files.__file__, __file__)
    ]
    return "\n".join(lines).encode() + b"".join(formulas)


def _compute(
    folder: pathlib.Path, clips: Sequence[Clip], name: str
) -> np.ndarray:
    """Returns the coefficients of clips, float32 `(num_clips, 49, 10)`."""
    # Silence comes in runs of one recording.
    read = functools.lru_cache(maxsize=1)(wav_files.read_wav)
    parts = []
    with tqdm.tqdm(
        desc=f"Reading {name}",
        total=len(clips),
        unit="clip",
        leave=False,
        disable=None,
    ) as progress:
        for first in range(0, len(clips), _CHUNK_CLIPS):
            chunk = clips[first : first + _CHUNK_CLIPS]
            samples = [
                clip.volume
                * wav_files.to_length(
                    read(folder / clip.name)[clip.start :], mfcc.CLIP_SAMPLES
                )
                for clip in chunk
            ]
            parts.append(mfcc.mfcc(np.stack(samples)))
            progress.update(len(chunk))
    return np.concatenate(parts)
