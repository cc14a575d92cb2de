"""The glue of the ops on TFLM's own headers, in a fake of the interpreter."""

import pytest
from cpp_build import (
    ARITHMETIC,
    GLUE,
    NO_CHECKS,
    REPOSITORY,
    TFLM_OPS,
    WIDEN_BIAS,
    host_compiler,
    run,
    tflm_flags,
    xmos_runtime,
)

SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.mark.parametrize(
    ("name", "sources", "flags"),
    [
        ("generate_pw_op_test", (*ARITHMETIC, GLUE), ()),
        ("widen_bias_op_test", (WIDEN_BIAS,), ()),
        ("widen_bias_op_test", (WIDEN_BIAS,), SANITIZED),
        ("generate_pw_op_test", (*ARITHMETIC, GLUE), (NO_CHECKS,)),
        ("widen_bias_op_test", (WIDEN_BIAS,), (NO_CHECKS,)),
    ],
    ids=[
        "generate_pw",
        "widen_bias",
        "widen_bias_sanitized",
        "generate_pw_unchecked",
        "widen_bias_unchecked",
    ],
)
def test_glue_keeps_the_memory_contract(tmp_path, name, sources, flags):
    program = tmp_path / name
    run(
        [
            *(host_compiler(), "-std=c++17", "-O1", *flags),
            *("-Wall", "-Wextra", "-Werror"),
            *(*tflm_flags(), f"-I{TFLM_OPS}"),
            REPOSITORY / "tests" / "tflm_ops" / f"{name}.cc",
            *(TFLM_OPS / source for source in sources),
            xmos_runtime() / "lib" / "libhost_xtflitemicro.a",
            *("-o", program),
        ]
    )
    assert run([program]) == "0 failures\n"
