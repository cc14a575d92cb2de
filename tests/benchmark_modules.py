"""Benchmarks as modules, for the tests of what they leave."""

import importlib.util
import pathlib
import types

import pytest

BENCHMARKS = pathlib.Path(__file__).resolve().parent.parent / "benchmarks"


def load(name: str) -> types.ModuleType:
    """Returns `benchmarks/<name>.py`, with its neighbours to import."""
    path = BENCHMARKS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)  # It shares networks there.
        spec.loader.exec_module(module)
    return module
