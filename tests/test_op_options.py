import numpy as np
import pytest
import tiny_models

from keras_hypertinypw import ConversionError, Interpreter, slim
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.op_options import set_compact, set_synthesis


def model_of(*residencies: str) -> bytes:
    rng = np.random.default_rng(3)
    generator = tiny_models.random_generator(rng)
    specs = [
        tiny_models.random_spec(
            rng,
            generator,
            name=f"layer_{index}",
            kernel_shape=(12, 1, 1, 12),
            residency=residency,
        )
        for index, residency in enumerate(residencies)
    ]
    return tiny_models.build_model(specs)


def test_only_cached_kernels_change():
    content = set_synthesis(model_of("cached", "per_invoke"), "boot")
    assert [(s.residency, s.synthesis) for s in read_specs(content)] == [
        ("cached", "boot"),
        ("per_invoke", "lazy"),
    ]


def test_there_and_back_is_the_same_file():
    boot = set_synthesis(model_of("cached"), "boot")
    lazy = set_synthesis(boot, "lazy")
    assert set_synthesis(lazy, "boot") == boot != lazy


def test_a_slimmed_file_stays_a_slimmed_one():
    content = slim(model_of("cached", "per_invoke"))
    for changed in (set_synthesis(content, "boot"), set_compact(content)):
        assert changed == slim(changed) != content


def test_the_compact_op_keeps_every_kernel():
    content = set_compact(model_of("cached", "per_invoke"))
    found = {(s.residency, s.synthesis) for s in read_specs(content)}
    assert found == {("cached", "boot")}


def test_the_model_computes_the_same():
    content = model_of("cached")
    x = np.random.default_rng(0).integers(-128, 128, (3, 4, 4, 12))
    outputs = []
    for synthesis in ("lazy", "boot"):
        with Interpreter(set_synthesis(content, synthesis)) as interpreter:
            outputs.append(interpreter.predict(x.astype(np.int8)))
    assert len(np.unique(outputs)) > 10
    np.testing.assert_array_equal(*outputs)


def test_another_word_is_an_error():
    with pytest.raises(ValueError, match="synthesis"):
        set_synthesis(model_of("cached"), "late")


def test_no_cached_kernel_is_an_error():
    with pytest.raises(ConversionError, match="none, and synthesis='boot'"):
        set_synthesis(model_of("per_invoke"), "boot")
