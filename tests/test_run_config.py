"""What decides a run's result, read back."""

import copy
import dataclasses

import pytest

from keras_hypertinypw.run_config import RunConfig, Schedule

CONFIG = RunConfig(
    per_channel=False, schedule=Schedule(seed=3, kernel_per_channel=False)
)


def test_a_config_comes_back():
    values = dataclasses.asdict(CONFIG)
    given = copy.deepcopy(values)
    assert RunConfig.from_dict(values) == CONFIG
    assert values == given


def test_what_was_no_choice_once_may_be_missing():
    values = dataclasses.asdict(RunConfig())
    del values["per_channel"], values["schedule"]["kernel_per_channel"]
    assert RunConfig.from_dict(values) == RunConfig()


@pytest.mark.parametrize("name", ["width", "code_bits"])
def test_what_else_is_missing_is_named(name):
    values = dataclasses.asdict(CONFIG)
    del values[name]
    with pytest.raises(KeyError, match=name):
        RunConfig.from_dict(values)
