import fuzzing
import pytest


@pytest.fixture(scope="session")
def fuzz_program(tmp_path_factory):
    """`fuzz_op.cc` around the shipped glue, under sanitizers."""
    return fuzzing.build(tmp_path_factory.mktemp("fuzz") / "fuzz_op")
