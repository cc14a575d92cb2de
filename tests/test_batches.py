import numpy as np
import pytest
from tiny_training import TRAIN

from keras_hypertinypw.batches import Batches, class_weights


def test_class_weights_follow_the_square_root():
    y = np.repeat([0, 1, 3], [64, 16, 1])
    weights = class_weights(y, 4)
    assert list(weights) == [0, 1, 2, 3]
    assert weights[1] / weights[0] == pytest.approx(2)
    assert weights[3] / weights[0] == pytest.approx(8)
    # A class without windows counts as one of one window.
    assert weights[2] == weights[3]


def test_class_weights_have_mean_1_over_the_windows():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    weights = class_weights(y, 3)
    assert np.mean([weights[label] for label in y]) == pytest.approx(1)


def epoch_of(batches, epoch):
    batches.shuffle(epoch)
    return np.concatenate([batches[i][0] for i in range(len(batches))])


def test_every_epoch_has_every_window_once():
    batches = Batches(TRAIN, 32, seed=0)
    assert len(batches) == 7
    x = epoch_of(batches, 0)
    np.testing.assert_array_equal(
        np.sort(x.reshape(200, -1), axis=0),
        np.sort(TRAIN.x.reshape(200, -1), axis=0),
    )


def test_the_order_depends_on_seed_and_epoch_alone():
    first, again = (Batches(TRAIN, 32, seed=0) for _ in range(2))
    other = Batches(TRAIN, 32, seed=1)
    x = epoch_of(first, 3)
    np.testing.assert_array_equal(x, epoch_of(again, 3))
    assert np.any(x != epoch_of(first, 2))
    assert np.any(x != epoch_of(other, 3))
