import pathlib

import numpy as np
import write_golden
from cpp_build import ARITHMETIC, STRICT, TFLM_OPS, host_compiler, run

from keras_hypertinypw import integer

HERE = pathlib.Path(__file__).parent


def test_golden_header_is_current(tmp_path):
    write_golden.write_header(tmp_path / "golden.h")
    current = (tmp_path / "golden.h").read_text()
    assert current == write_golden.GOLDEN_HEADER.read_text()


def test_golden_kernels_are_diverse():
    for spec in write_golden.golden_specs():
        assert len(np.unique(integer.synthesize(spec))) > 20


def test_cpp_equals_the_golden_header(tmp_path):
    """Gate 4, on the host."""
    program = tmp_path / "golden_test"
    sources = [TFLM_OPS / name for name in ARITHMETIC]
    run(
        [
            host_compiler(),
            *STRICT,
            "-O2",
            f"-I{TFLM_OPS}",
            HERE / "golden_test.cc",
            *sources,
            "-o",
            program,
        ]
    )
    assert run([program]) == "4 of 4 cases match\n"
