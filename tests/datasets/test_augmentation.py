import numpy as np
import pytest

from keras_hypertinypw.datasets.augmentation import shift_and_mask

CLIPS = np.arange(1, 20 * 12 * 8 + 1).reshape(20, 12, 8, 1).astype(np.float32)


def augmented(seed=0, **limits):
    return shift_and_mask(CLIPS, np.random.default_rng(seed), **limits)


def test_without_limits_nothing_changes():
    np.testing.assert_array_equal(augmented(max_shift=0, max_mask=0), CLIPS)


def test_a_shift_moves_whole_frames():
    moved = augmented(max_shift=3, max_mask=0)
    distances = set()
    for before, after in zip(CLIPS, moved, strict=True):
        (shift,) = (
            s
            for s in range(-3, 4)
            if np.array_equal(
                after[max(s, 0) : 12 + min(s, 0)],
                before[max(-s, 0) : 12 + min(-s, 0)],
            )
        )
        outside = np.delete(after, np.s_[max(shift, 0) : 12 + min(shift, 0)], 0)
        assert not outside.any()
        distances.add(shift)
    assert distances == set(range(-3, 4))


def test_masks_are_spans_of_frames_and_coefficients():
    masked = augmented(max_shift=0, max_mask=8)
    assert np.all((masked == CLIPS) | (masked == 0))
    for clip in masked[..., 0]:
        frames, coefficients = ~clip.any(axis=1), ~clip.any(axis=0)
        assert frames.sum() <= 8 and coefficients.sum() <= 2
        for blank in (frames, coefficients):
            assert np.abs(np.diff(blank.astype(int))).sum() <= 2
    assert np.any(masked == 0)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_generator_decides(seed):
    np.testing.assert_array_equal(augmented(seed), augmented(seed))
    assert np.any(augmented(seed) != augmented(seed + 1))
    assert augmented(seed).dtype == np.float32
