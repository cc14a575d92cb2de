"""What may import what (design.md, section 2), and what is banned."""

import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest

import keras_hypertinypw

PACKAGE = pathlib.Path(keras_hypertinypw.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
CPP_SOURCES = sorted(
    path
    for path in (PACKAGE.parent / "tflm_ops").rglob("*")
    if path.suffix in (".h", ".cc", ".c")
)

TENSORFLOW = {
    "keras",
    "tensorflow",
    "tensorflow_model_optimization",
    "tf_keras",
}
# Up to the converter, and what drives it. All else works on bytes and numpy.
KERAS_WORLD = {
    "batches",
    "calibration",
    "conversion_input",
    "converter",
    "equalizing",
    "fake_quant",
    "fit_report",
    "fit_search",
    "fitting",
    "folding",
    "freezing",
    "generator",
    "inlining",
    "keras_checks",
    "kernel_errors",
    "kernel_fitting",
    "kernel_quantizer",
    "layers",
    "loading",
    "model_graph",
    "models",
    "operators",
    "quantization",
    "reproduction",
    "rewriting",
    "runs",
    "separable",
    "swap",
    "tfmot",
    "training",
    "unfolding",
    "width_search",
}
# Import the above, but only in functions that need it.
LAZY = {"__init__", "cli", "commands", "training_commands"}


def module_name(path):
    name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imports(node):
    """Returns the full names that the code below a node imports."""
    names = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            names |= {alias.name for alias in child.names}
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "relative import"
            names |= {f"{child.module}.{alias.name}" for alias in child.names}
    return names


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def ours(names):
    """Returns our modules among full names, without the package."""
    found = set()
    for name in names:
        top, *rest = name.split(".")
        if top == PACKAGE.name and rest:
            found.add(rest[0])
    return found


def outside(names):
    return {name.split(".")[0] for name in names} - {PACKAGE.name}


def imports_of(name):
    return imports(parse(PACKAGE / f"{name}.py"))


def test_spec_imports_nothing_of_ours():
    assert not ours(imports_of("spec"))
    assert outside(imports_of("spec")) & {"numpy"}


def test_integer_imports_only_spec():
    assert ours(imports_of("integer")) == {"spec"}
    assert outside(imports_of("integer")) == {"__future__", "numpy"}


@pytest.mark.parametrize("folder", ["datasets", "evaluation"])
def test_data_and_evaluation_know_nothing_of_quantization(folder):
    names = set()
    for path in (PACKAGE / folder).glob("*.py"):
        names |= imports(parse(path))
    # How a file is written whole is no matter of quantization.
    assert ours(names) - {"files"} == {folder}
    assert not outside(names) & TENSORFLOW


BYTES_WORLD = [
    path
    for path in SOURCES
    if module_name(path) not in KERAS_WORLD | LAZY | {PACKAGE.name}
]


@pytest.mark.parametrize("path", BYTES_WORLD, ids=module_name)
def test_after_freezing_there_are_bytes_and_numpy_only(path):
    names = imports(parse(path))
    assert not outside(names) & TENSORFLOW
    assert not ours(names) & KERAS_WORLD


def test_that_covers_every_stage_after_freezing():
    names = {module_name(path) for path in BYTES_WORLD}
    stages = {"op_insertion", "flatbuffer", "materialize", "footprint"}
    assert stages | {"interpreter", "verification", "integer"} <= names


@pytest.mark.parametrize("name", ["layers", "freezing", "quantization"])
def test_that_would_notice_tensorflow(name):
    assert outside(imports_of(name)) & TENSORFLOW


@pytest.mark.parametrize("name", sorted(LAZY))
def test_what_starts_first_loads_keras_only_when_needed(name):
    path = PACKAGE / f"{name}.py"
    eager = set()
    for node in parse(path).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            eager |= imports(node)
    assert not outside(eager) & TENSORFLOW
    assert not ours(eager) & KERAS_WORLD


def run(code, **environment):
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "TF_USE_LEGACY_KERAS"
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**inherited, **environment},
    )


HEAVY = {"matplotlib", "scipy", "sklearn", "wfdb"} | TENSORFLOW


@pytest.mark.parametrize(
    "names", ["", ".interpreter", ".verification", ".footprint", ".cli"]
)
def test_importing_loads_nothing_heavy(names):
    code = f"import sys, keras_hypertinypw{names}; print(*sys.modules)"
    done = run(code)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "keras_hypertinypw" in loaded, done.stderr
    assert not loaded & HEAVY


def test_keras_3_is_not_imported_in_vain():
    done = run("import sys, keras_hypertinypw.runs; print(*sys.modules)")
    loaded = set(done.stdout.split())
    assert "tensorflow_model_optimization" in loaded, done.stderr
    assert not loaded & {"keras", "keras.engine", "sklearn"}


def test_tensorflow_first_gets_one_clear_sentence():
    done = run("import tensorflow, keras_hypertinypw")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: tensorflow was imported before")
    assert "import keras_hypertinypw first" in last
    assert "tfmot" not in done.stderr


FAKE = "import sys, types; sys.modules['tensorflow'] = types.ModuleType('t');"


@pytest.mark.parametrize("value", ["1", "true", "True"])
def test_tensorflow_first_is_fine_with_the_variable_set(value):
    done = run(f"{FAKE} import keras_hypertinypw", TF_USE_LEGACY_KERAS=value)
    assert done.returncode == 0, done.stderr


def test_tensorflow_first_is_not_fine_with_the_variable_off():
    done = run(f"{FAKE} import keras_hypertinypw", TF_USE_LEGACY_KERAS="0")
    assert "ImportError: tensorflow was imported before" in done.stderr


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Unknown'"):
        _ = keras_hypertinypw.Unknown


def test_every_public_name_is_there():
    for name in keras_hypertinypw.__all__:
        assert getattr(keras_hypertinypw, name) is not None
    assert dir(keras_hypertinypw) == keras_hypertinypw.__all__


# R7: there is one rounding in each language, and it sends ties up.
BANNED = {"around", "nearbyint", "rint", "round", "round_"}
BANNED_CPP = re.compile(r"\b(l?l?round|l?l?rint|nearbyint)[fl]?\s*\(")


def python_roundings(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in BANNED:
            yield node.attr
        elif isinstance(node, ast.alias) and node.name in BANNED:
            yield node.name
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in BANNED:
                yield node.func.id


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_python_rounds_nowhere_else(path):
    assert not list(python_roundings(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", CPP_SOURCES, ids=lambda path: path.name)
def test_cpp_rounds_nowhere_else(path):
    assert not BANNED_CPP.findall(path.read_text(encoding="utf-8"))


def test_those_tests_know_the_banned_functions():
    assert CPP_SOURCES
    for source in (
        "np.round(x)",
        "f = tf.math.rint",
        "round(x)",
        "from numpy import around as a",
    ):
        assert list(python_roundings(source)), source
    for source in ("std::round(x)", "lrintf(x)", "rint (x)", "roundf(x)"):
        assert BANNED_CPP.findall(source), source
    assert not BANNED_CPP.findall("RoundingRightShift(x, 1)")
