import numpy as np
import pytest

from keras_hypertinypw.evaluation.selection import Candidate, choose

NUM_CLASSES = 3
GROUPS = np.repeat(np.arange(20), 30)
Y = np.random.default_rng(0).integers(0, NUM_CLASSES, GROUPS.size)


def decisions(share, seed):
    """Right answers in that share of the windows, wrong ones elsewhere."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(Y.size) >= share
    return np.where(wrong, (Y + 1) % NUM_CLASSES, Y)


def candidate(name, generates, share, seed=1):
    return Candidate(f"the {name} network", generates, [decisions(share, seed)])


def chosen(*candidates):
    return choose(
        candidates,
        Y,
        GROUPS,
        num_classes=NUM_CLASSES,
        rng=np.random.default_rng(0),
    )


def test_a_generated_network_that_is_clearly_better_is_chosen():
    choice = chosen(
        candidate("int8", False, 0.7),
        candidate("generated", True, 0.9),
        candidate("int4", False, 0.75),
    )
    assert choice.index == 1
    assert choice.reason.startswith("Use the generated network: macro-F1 0.9")
    assert "above the int4 network." in choice.reason


def test_a_generated_network_that_is_better_by_chance_is_not():
    choice = chosen(
        candidate("generated", True, 0.83, seed=2),
        candidate("int4", False, 0.8, seed=3),
    )
    assert choice.index == 1
    assert "The generated network is" in choice.reason
    assert "may be chance" in choice.reason


def test_a_stored_network_that_is_better_is_chosen_at_any_distance():
    choice = chosen(
        candidate("generated", True, 0.8, seed=2),
        candidate("int4", False, 0.81, seed=3),
    )
    assert choice.index == 1
    assert "above the generated network" in choice.reason


def runs(name, generates, shares):
    found = [decisions(share, seed) for seed, share in enumerate(shares)]
    return Candidate(f"the {name} network", generates, found)


def test_of_several_seeds_the_mean_decides():
    choice = chosen(
        runs("generated", True, (0.97, 0.7, 0.7)),
        runs("int4", False, (0.82, 0.83, 0.84)),
    )
    assert choice.index == 1
    assert "on validation, the mean of 3 seeds, 3" in choice.reason


def test_what_seeds_do_is_part_of_chance():
    generated = runs("generated", True, (0.98, 0.99, 0.75))
    stored = runs("int4", False, (0.8, 0.8, 0.8))
    alone = chosen(
        Candidate("it", True, generated.runs[:1]),
        Candidate("int4", False, stored.runs[:1]),
    )
    assert alone.index == 0
    choice = chosen(generated, stored)
    assert choice.index == 1
    assert "may be chance" in choice.reason


def test_a_single_candidate_is_chosen():
    choice = chosen(candidate("int8", False, 0.5))
    assert choice.index == 0
    assert choice.reason.startswith("Use the int8 network: macro-F1 0.")


def test_no_candidate_is_an_error():
    with pytest.raises(ValueError, match="at least one candidate"):
        chosen()
