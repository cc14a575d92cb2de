"""Reads wav files of 16 kHz, mono, 16 bit, and no others."""

from __future__ import annotations

import pathlib
import wave

import numpy as np

FS = 16_000  # Hz.
_FULL_SCALE = 32_768
_SAMPLE_BYTES = 2


def read_wav(path: pathlib.Path) -> np.ndarray:
    """Reads all samples of a wav file.

    Args:
        path: Of the file.

    Returns:
        float32 array of shape `(num_samples,)`, in `[-1, 1)`, at 16 kHz.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another kind, empty or truncated.
    """
    try:
        with wave.open(str(path), "rb") as file:
            found = (
                file.getframerate(),
                file.getnchannels(),
                8 * file.getsampwidth(),
            )
            promised = file.getnframes()
            content = file.readframes(promised)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"Expected the file '{path}'. Received: no such file. Copy or "
            "unpack the data set again."
        ) from None
    # A RuntimeError is what chunks of impossible lengths end in.
    except (wave.Error, EOFError, RuntimeError) as error:
        reason = str(error) or "it breaks off"
        raise _other_file(path, f"another file: {reason}") from error
    if found != (FS, 1, 16):
        raise _other_file(
            path, f"{found[0]} Hz, {found[1]} channels, {found[2]} bit"
        )
    if not promised:
        raise _other_file(path, "no samples")
    if len(content) != promised * _SAMPLE_BYTES:
        raise _other_file(
            path,
            f"{len(content) // _SAMPLE_BYTES:,} samples of {promised:,}, "
            "truncated",
        )
    return np.frombuffer(content, "<i2").astype(np.float32) / _FULL_SCALE


def to_length(samples: np.ndarray, num_samples: int) -> np.ndarray:
    """Pads with zeros at the end, or cuts the end off.

    Args:
        samples: Array of shape `(any,)`.
        num_samples: Length to return.
    """
    samples = samples[:num_samples]
    return np.pad(samples, (0, num_samples - len(samples)))


def _other_file(path: pathlib.Path, received: str) -> ValueError:
    return ValueError(
        f"Expected '{path}' as a wav file of {FS} Hz, 1 channel, 16 bit. "
        f"Received: {received}. Convert it, delete it, or copy it again."
    )
