from cpp_build import (
    ARITHMETIC,
    GLUE,
    REPOSITORY,
    TFLM_OPS,
    host_compiler,
    run,
    tflm_flags,
    xmos_runtime,
)


def test_glue_keeps_the_memory_contract(tmp_path):
    program = tmp_path / "generate_pw_op_test"
    test = REPOSITORY / "tests" / "tflm_ops" / "generate_pw_op_test.cc"
    run(
        [
            host_compiler(),
            "-std=c++17",
            "-O1",
            "-Wall",
            "-Wextra",
            "-Werror",
            *tflm_flags(),
            f"-I{TFLM_OPS}",
            test,
            *(TFLM_OPS / name for name in (*ARITHMETIC, GLUE)),
            xmos_runtime() / "lib" / "libhost_xtflitemicro.a",
            "-o",
            program,
        ]
    )
    assert run([program]) == "0 failures\n"
