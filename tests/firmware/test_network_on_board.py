"""Whole networks, layer by layer, with CMSIS-NN on an emulated Cortex-M4."""

import board_network
import cpp_build
import pytest

EXAMPLES = cpp_build.REPOSITORY / "examples" / "mitdb"
# Generated and stored kernels lie at other addresses.
MAX_RELATIVE_DIFFERENCE = 0.005


@pytest.fixture(scope="module")
def generated(network_program):
    content = (EXAMPLES / "generated.tflite").read_bytes()
    return board_network.count(network_program, content)


def test_every_layer_is_exact(network_program):
    # `count` compares each output, and raises.
    content = (EXAMPLES / "stored.tflite").read_bytes()
    counted = board_network.count(network_program, content)
    assert len(counted.layers) >= 10
    assert counted.synthesis == 0


def test_steady_state_is_that_of_constant_kernels(network_program, generated):
    content = (EXAMPLES / "generated.tflite").read_bytes()
    constant = board_network.count(
        network_program, board_network.materialize(content)
    )
    for index in (1, 2):
        steady, expected = generated.invocation(index), constant.invocation(2)
        assert abs(steady - expected) <= MAX_RELATIVE_DIFFERENCE * expected


def test_synthesis_costs_less_than_an_inference(generated):
    first, steady = generated.invocation(0), generated.invocation(2)
    assert 0 < generated.synthesis <= steady
    difference = first - steady
    assert difference == pytest.approx(generated.synthesis, rel=0.001)
