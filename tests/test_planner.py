import itertools

import arena_models
import keras_models
import numpy as np
import pytest
import tiny_models

from keras_hypertinypw import convert_keras_model, planner
from keras_hypertinypw.arena import predict_arena
from keras_hypertinypw.cost_model import synthesis_instructions
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.op_options import set_residencies, set_synthesis
from keras_hypertinypw.planner import plan_residency, smallest_budget

SHAPES = ((24, 1, 1, 8), (40, 1, 1, 24), (12, 1, 1, 40), (32, 1, 1, 12))


@pytest.fixture(scope="module")
def four_layers():
    """Four kernels of different sizes."""
    rng = np.random.default_rng(3)
    generator = tiny_models.random_generator(rng)
    specs = [
        tiny_models.random_spec(rng, generator, kernel_shape=shape)
        for shape in SHAPES
    ]
    return tiny_models.build_model(specs)


def required(content):
    plans = [predict_arena(content, target) for target in ("host", "board")]
    return max(plan.required_bytes for plan in plans)


def added(content):
    """Instructions that every inference of a model takes for kernels."""
    return sum(
        synthesis_instructions(spec)
        for spec in read_specs(content)
        if spec.residency == "per_invoke"
    )


def all_choices(content):
    """Every model that differs from this one in residencies."""
    count = len(read_specs(content))
    for choice in itertools.product(("cached", "per_invoke"), repeat=count):
        yield set_residencies(content, choice)


def planned(content, budget):
    return set_residencies(content, plan_residency(content, budget))


def smallest(content):
    return min(map(required, all_choices(content)))


def loads_within(content, budget):
    with Interpreter(content, arena_size=budget) as interpreter:
        return interpreter.arena_used_bytes <= budget


def test_a_generous_budget_keeps_every_kernel(four_layers):
    assert plan_residency(four_layers, 1 << 20) == ("cached",) * len(SHAPES)


def test_no_choice_within_a_budget_is_cheaper(four_layers):
    choices = [(required(c), added(c)) for c in all_choices(four_layers)]
    budgets = sorted({size for size, _ in choices})
    assert len(budgets) > 8
    for budget in budgets:
        found = planned(four_layers, budget)
        assert required(found) <= budget
        best = min(cost for size, cost in choices if size <= budget)
        assert added(found) == best


def test_a_byte_below_a_choice_changes_it(four_layers):
    everything = required(four_layers)
    assert added(planned(four_layers, everything)) == 0
    assert added(planned(four_layers, everything - 1)) > 0


@pytest.mark.parametrize(
    "make", [arena_models.example, arena_models.tiny], ids=["mitdb", "tiny"]
)
def test_a_byte_below_the_smallest_budget_is_refused_by_its_name(make):
    content = arena_models.with_residency(make(), "cached")
    least = smallest(content)
    assert loads_within(planned(content, least), least)
    assert smallest_budget(content) == least
    with pytest.raises(ConversionError, match=f"at least {least} bytes"):
        plan_residency(content, least - 1)


@pytest.mark.parametrize("budget", [20288, 22000, 24400, 28479, 28480, 65536])
def test_the_wheel_loads_the_example_within_the_budget(budget):
    content = planned(arena_models.example(), budget)
    assert loads_within(content, budget)


def test_the_wheel_loads_small_models_within_the_budget(four_layers):
    least, most = smallest(four_layers), required(four_layers)
    for budget in (least, (least + most) // 2, most):
        assert loads_within(planned(four_layers, budget), budget)


def test_many_layers_are_planned_step_by_step(four_layers, monkeypatch):
    monkeypatch.setattr(planner, "EXACT_LAYERS", len(SHAPES) - 1)
    choices = [(required(c), added(c)) for c in all_choices(four_layers)]
    least = min(size for size, _ in choices)
    for budget in sorted({size for size, _ in choices}):
        found = planned(four_layers, budget)
        assert required(found) <= budget
        kept = [spec.residency for spec in read_specs(found)]
        # What is out has a reason to be: nothing of it fits back in.
        for index, residency in enumerate(kept):
            if residency == "per_invoke":
                more = [*kept[:index], "cached", *kept[index + 1 :]]
                assert required(set_residencies(found, more)) > budget
    with pytest.raises(ConversionError, match=f"at least {least} bytes"):
        plan_residency(four_layers, least - 1)


def test_residencies_of_the_file_do_not_matter(four_layers):
    other = arena_models.with_residency(four_layers, "per_invoke", "cached")
    budget = (smallest(four_layers) + required(four_layers)) // 2
    assert plan_residency(other, budget) == plan_residency(four_layers, budget)


def test_a_model_without_generated_kernels_fits_or_not():
    content = arena_models.example("stored")
    assert plan_residency(content, required(content)) == ()
    with pytest.raises(ConversionError, match="Expected `arena_budget`"):
        plan_residency(content, required(content) - 1)


def test_only_residencies_are_rewritten():
    before = arena_models.example()
    changed = arena_models.with_residency(before, "per_invoke", "cached")
    assert changed != before
    assert set_residencies(changed, ("cached",) * 3) == before


def test_a_kernel_that_does_not_stay_is_not_made_at_boot():
    content = set_synthesis(arena_models.tiny("cached", "cached"), "boot")
    content = set_residencies(content, ("cached", "per_invoke"))
    kinds = [(s.residency, s.synthesis) for s in read_specs(content)]
    assert kinds == [("cached", "boot"), ("per_invoke", "lazy")]


def test_the_converter_keeps_to_the_budget():
    model = keras_models.quantized_image_model()
    content = convert_keras_model(model, synthesis="boot", verify=False)
    least, most = smallest(content), required(content)
    assert least < most
    found = convert_keras_model(
        model, synthesis="boot", arena_budget=least, verify=True
    )
    assert loads_within(found, least)
    kinds = {(s.residency, s.synthesis) for s in read_specs(found)}
    assert kinds <= {("cached", "boot"), ("per_invoke", "lazy")}
    assert ("per_invoke", "lazy") in kinds
    with pytest.raises(ConversionError, match=f"at least {least} bytes"):
        convert_keras_model(model, arena_budget=least - 1)


def test_a_budget_chooses_residencies_itself():
    model = keras_models.quantized_image_model()
    with pytest.raises(ValueError, match="either `arena_budget`"):
        convert_keras_model(model, residency="per_invoke", arena_budget=9999)


@pytest.mark.parametrize("budget", [0, -5, 1.5, True])
def test_a_budget_is_a_positive_integer(budget):
    with pytest.raises(ValueError, match="`arena_budget` to be a positive"):
        plan_residency(arena_models.tiny("cached"), budget)
