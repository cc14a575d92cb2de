"""Gate 4: the op's arithmetic on an emulated Cortex-M4, and what it takes."""

import sys

import board_synthesis
import cpp_build
import numpy as np
import pytest
import random_specs

from keras_hypertinypw.op_builds import BUILDS

sys.path.insert(0, str(cpp_build.REPOSITORY / "tests" / "tflm_ops"))
import write_golden  # noqa: E402

NUM_SPECS = 300
MAX_INSTRUCTIONS_PER_MAC = 2.0


@pytest.fixture(scope="module", params=BUILDS)
def program(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("synthesis") / "synthesis.elf"
    return board_synthesis.build_of(path, request.param)


def test_golden_kernels_are_exact(program):
    specs = write_golden.golden_specs()
    found = board_synthesis.count(program, specs)
    assert len(found) == len(specs)
    assert all(is_right for is_right, _ in found)


def test_random_kernels_are_exact(program):
    rng = np.random.default_rng(4)
    specs = list(random_specs.random_specs(rng, NUM_SPECS))
    found = board_synthesis.count(program, specs)
    assert len(found) == NUM_SPECS
    assert all(is_right for is_right, _ in found)


def test_the_board_would_say_what_is_wrong(program):
    (golden, *_) = write_golden.golden_specs()
    broken = board_synthesis.reference_spec()
    path = program.with_suffix(".bin")
    content = bytearray(board_synthesis.synthesis_cases([golden, broken]))
    content[-1] ^= 1
    path.write_bytes(content)
    lines = board_synthesis.board.run(program, path).splitlines()
    assert [line.split()[1] for line in lines] == ["1", "0"]


@pytest.mark.parametrize("optimization", ["-Os", "-O2"])
def test_a_multiply_accumulate_takes_two_instructions(tmp_path, optimization):
    program = board_synthesis.build(
        tmp_path / "synthesis.elf", optimization=optimization
    )
    for code_bits in (1, 2, 4, 8):
        spec = board_synthesis.reference_spec(code_bits)
        ((is_right, instructions),) = board_synthesis.count(program, [spec])
        assert is_right
        amount = board_synthesis.multiply_accumulates(spec)
        assert amount == 73_728
        assert instructions <= MAX_INSTRUCTIONS_PER_MAC * amount
