import ast
import pathlib

import pytest

from keras_hypertinypw import evaluation

PACKAGE = pathlib.Path(evaluation.__file__).parents[1]


def imported(folder):
    """Names of all modules that the files of a subpackage import."""
    names = set()
    for path in sorted((PACKAGE / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                # `from keras_hypertinypw import files` is one of `files`.
                of_package = node.module == "keras_hypertinypw"
                names |= {
                    f"{node.module}.{alias.name}" if of_package else node.module
                    for alias in node.names
                }
    assert len(names) > 3
    return names


@pytest.mark.parametrize("folder", ["datasets", "evaluation"])
def test_knows_nothing_of_quantization_or_tensorflow(folder):
    for name in imported(folder):
        if name.startswith("keras_hypertinypw"):
            allowed = (
                f"keras_hypertinypw.{folder}",
                "keras_hypertinypw.files",
            )
            assert name.startswith(allowed)
        assert name.split(".")[0] not in {"tensorflow", "tf_keras", "keras"}


def test_evaluation_needs_only_numpy():
    outside = {name.split(".")[0] for name in imported("evaluation")}
    assert outside <= {
        "__future__",
        "collections",
        "dataclasses",
        "keras_hypertinypw",
        "numpy",
        "typing",
    }
