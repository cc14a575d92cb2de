import fuzzing
import pytest
from cpp_build import LANES


@pytest.fixture(scope="session")
def compact_program(tmp_path_factory):
    """`fuzz_op.cc` around the compact op, which takes no mutated ones."""
    program = tmp_path_factory.mktemp("compact") / "fuzz_op"
    return fuzzing.build(program, "-DFUZZED_COMPACT=1")


@pytest.fixture(scope="session", params=["one_block", "lanes"])
def fuzz_program(request, tmp_path_factory):
    """`fuzz_op.cc` around the shipped glue, under sanitizers."""
    flags = [LANES] if request.param == "lanes" else []
    program = tmp_path_factory.mktemp("fuzz") / "fuzz_op"
    return fuzzing.build(program, *flags)
