"""The op's sources compile without warnings and need nothing forbidden."""

import re

import pytest
from cpp_build import (
    ARITHMETIC,
    COMPACT,
    CORTEX_M4,
    GLUE,
    NO_CHECKS,
    REPOSITORY,
    STRICT,
    TFLM_OPS,
    WIDEN_BIAS,
    arm_tool,
    host_compiler,
    run,
    tflm_flags,
)

NEED_TFLM = (COMPACT, GLUE, WIDEN_BIAS)
SOURCES = (*ARITHMETIC, *NEED_TFLM)

# Soft floating point, heap, exceptions.
FORBIDDEN = re.compile(
    r"__aeabi_[fd]|__aeabi_\w*2[fd]\b|__\w+[sd]f\d?$|malloc|calloc|realloc|"
    r"\bfree$|_Zn[wa]|_Zd[la]|__cxa_|_Unwind|printf"
)

# Floating point is a compiler error: it has no registers to be in.
INTEGER_ONLY = ("-O2", "-mgeneral-regs-only")


def flags_for(source: str) -> list[str]:
    return tflm_flags() if source in NEED_TFLM else []


@pytest.mark.parametrize(
    "build", ["-DNDEBUG", "-DTF_LITE_STRIP_ERROR_STRINGS", NO_CHECKS]
)
@pytest.mark.parametrize("source", SOURCES)
def test_host_compiler_has_no_warning(tmp_path, source, build):
    command = [host_compiler(), *STRICT, "-O2", build, *flags_for(source)]
    run([*command, "-c", TFLM_OPS / source, "-o", tmp_path / "host.o"])


@pytest.mark.parametrize(
    "source", sorted(path.name for path in (TFLM_OPS / "host").glob("*.cc"))
)
def test_host_library_has_no_warning(tmp_path, source):
    command = [host_compiler(), "-std=c++17", "-Wall", "-Wextra", "-Werror"]
    output = tmp_path / "host.o"
    run([*command, "-c", TFLM_OPS / "host" / source, "-o", output])


@pytest.mark.parametrize("source", SOURCES)
def test_cortex_m4_object_needs_no_float_heap_or_exceptions(tmp_path, source):
    compiler, nm = arm_tool("g++"), arm_tool("nm")
    command = [compiler, *CORTEX_M4, *STRICT, "-DNDEBUG", *flags_for(source)]
    output = tmp_path / "arm.o"
    run([*command, "-c", TFLM_OPS / source, "-o", output])
    symbols = [
        line.split()[-1] for line in run([nm, "-u", output]).splitlines()
    ]
    needed = [s for s in symbols if not re.search("MicroPrintf", s)]
    assert not list(filter(FORBIDDEN.search, needed))


def test_the_forbidden_symbols_would_be_seen(tmp_path):
    compiler, nm = arm_tool("g++"), arm_tool("nm")
    source = tmp_path / "bad.cc"
    source.write_text(
        "float Half(int x) { return x * 0.5f; }\n"
        "int* New() { return new int; }\n"
        "void Throw() { throw 1; }\n"
    )
    output = tmp_path / "bad.o"
    run([compiler, *CORTEX_M4, "-c", source, "-o", output])
    symbols = run([nm, "-u", output]).split()
    seen = set(filter(FORBIDDEN.search, symbols))
    assert {"__aeabi_fmul", "__aeabi_i2f", "_Znwj", "__cxa_throw"} <= seen


@pytest.mark.parametrize("source", SOURCES)
def test_op_compiles_without_floating_point_registers(tmp_path, source):
    command = [host_compiler(), *STRICT, *INTEGER_ONLY, *flags_for(source)]
    run([*command, "-c", TFLM_OPS / source, "-o", tmp_path / "integer.o"])


def test_floating_point_would_be_refused(tmp_path):
    source, output = tmp_path / "half.cc", tmp_path / "half.o"
    source.write_text("int Half(int x) { return int(x * 0.5f); }\n")
    command = [host_compiler(), *STRICT, "-c", source, "-o", output]
    run(command)
    with pytest.raises(pytest.fail.Exception, match="0.5f"):
        run([*command, *INTEGER_ONLY])


def test_logic_includes_no_framework_header():
    # The last one runs TFLM's interpreter.
    files = (*NEED_TFLM, "make_registration.h", "firmware/interpreter.cc")
    framework = {TFLM_OPS / name for name in files}
    for path in TFLM_OPS.rglob("*"):
        if path.suffix in (".h", ".cc") and path not in framework:
            assert not re.search(r'#include ["<]tensorflow', path.read_text())


def test_cpp_is_formatted():
    paths = sorted(
        path
        for folder in (TFLM_OPS, REPOSITORY / "tests" / "tflm_ops")
        for path in folder.rglob("*")
        if path.suffix in (".h", ".cc")
    )
    clang_format = pytest.importorskip("clang_format").get_executable(
        "clang-format"
    )
    run([clang_format, "--style=Google", "--dry-run", "--Werror", *paths])
