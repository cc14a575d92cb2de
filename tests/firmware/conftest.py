import pathlib
import sys

import pytest

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import board  # noqa: E402
import board_network  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def tools():
    """Skips, saying what is missing."""
    if board.missing_packages():
        pytest.skip(f"Install the Debian packages {board.missing_packages()}.")


@pytest.fixture(scope="session")
def network_program(tmp_path_factory):
    """Runs networks with CMSIS-NN's kernels."""
    vendor = board_network.cmsis_nn()
    if vendor is None:
        pytest.skip("No CMSIS-NN: pip install keras_hypertinypw[dev].")
    return board_network.build(tmp_path_factory.mktemp("network"), vendor)
