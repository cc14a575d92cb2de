"""Random changes of training windows that leave their class as it is."""

from __future__ import annotations

import numpy as np


def shift_and_mask(
    x: np.ndarray,
    rng: np.random.Generator,
    *,
    max_shift: int = 5,
    max_mask: int = 8,
) -> np.ndarray:
    """Moves clips in time, and blanks some frames and coefficients of each.

    Masks are those of SpecAugment (Park et al., 2019): one over frames, one
    over coefficients. What is moved in or masked is 0, the mean.

    Args:
        x: Array of shape `(num_clips, frames, coefficients, 1)`.
        rng: Draws the changes.
        max_shift: Most frames that a clip moves, either way.
        max_mask: Most frames of a mask; of coefficients a quarter of that.

    Returns:
        Array like `x`, a copy.
    """
    num_clips, frames, coefficients, _ = x.shape
    shifts = rng.integers(-max_shift, max_shift + 1, num_clips)
    source = np.arange(frames) - shifts[:, np.newaxis]
    kept = (source >= 0) & (source < frames)
    kept &= ~_spans(rng, num_clips, frames, max_mask)
    seen = ~_spans(rng, num_clips, coefficients, max_mask // 4)
    moved = np.take_along_axis(
        x, np.clip(source, 0, frames - 1)[:, :, np.newaxis, np.newaxis], axis=1
    )
    return moved * (kept[:, :, np.newaxis] & seen[:, np.newaxis])[..., None]


def _spans(
    rng: np.random.Generator, count: int, length: int, longest: int
) -> np.ndarray:
    """Returns one random span in each row, boolean `(count, length)`."""
    size = rng.integers(0, longest + 1, (count, 1))
    start = rng.integers(0, length - size + 1)
    index = np.arange(length)
    return (index >= start) & (index < start + size)
