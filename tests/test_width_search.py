import functools

import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw import WeightGenerator, models
from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.runs import to_tflite
from keras_hypertinypw.width_search import MARGIN, untrained_file, widest


@pytest.mark.parametrize("budget", [2000, 5000, 9999, 40000])
def test_the_widest_fits_and_the_next_one_does_not(budget):
    def size_of(width):
        return 900 + 61 * width + 3 * width * width // 2 + 8 * (width % 2)

    width = widest(size_of, budget)
    assert size_of(width) <= budget - MARGIN < size_of(width + 1)


def test_nothing_fits_a_budget_below_the_least():
    assert widest(lambda width: 1000 + width * width, 1000) is None
    assert widest(lambda width: 100 + width * width, 200, least=8) is None


def test_a_sized_file_has_every_vector_of_a_trained_one():
    model = models.ecg_network((64, 1), 4, width=8)
    content = untrained_file(model, lambda m: to_tflite(m, stored=True))
    assert len(content) > 8 * 8 * 3  # Its pointwise kernels alone.
    tensors = read_model(content).subgraphs[0].tensors
    # Ten biases and two shapes.
    constants = [t for t in tensors if t.type == schema.TensorType.INT32]
    assert len({t.buffer for t in constants}) == len(constants) == 12


def test_generated_kernels_that_close_every_relu_have_a_size_too():
    generator = WeightGenerator(name="generator")
    model = models.ecg_network(
        (64, 1), 4, width=8, generator=generator, keep_first=False
    )
    for weight in generator.weights:
        weight.assign(weight * 0)
    generator.biases[-1].assign(generator.biases[-1] - 1)  # Every weight.
    convert = functools.partial(to_tflite, stored=False, verify=False)
    assert untrained_file(model, convert)
