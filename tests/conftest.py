"""Fixtures that several test files share."""

import os
import pathlib
import signal

import arduino_exports
import hypothesis
import numpy as np
import pytest
import shared_models
import tiny_models

from keras_hypertinypw import SharedFirmware
from keras_hypertinypw.spec import GeneratorSpec

# Before any import of TensorFlow; see design.md, fact 4.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
# Of TensorFlow, here and in child processes: how many threads share a sum
# decides its last digits, and a loaded machine may share it otherwise.
for _variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[_variable] = "1"
# A loaded machine is no fault.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def cache_home(tmp_path_factory) -> pathlib.Path:
    """Keeps compiled libraries out of the user's cache."""
    directory = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(directory)
    return directory


@pytest.fixture(scope="session", autouse=True)
def heed_sigint() -> None:
    """A shell ignores it for what it runs in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_specs():
    """Three layers: cached lazily, made per invocation, cached at boot."""
    rng = np.random.default_rng(7)
    generator = tiny_models.random_generator(rng, use_skip=True)
    return [
        tiny_models.random_spec(rng, generator, name="lazy"),
        tiny_models.random_spec(
            rng,
            generator,
            name="fresh",
            kernel_shape=(7, 1, 1, 10),
            residency="per_invoke",
        ),
        tiny_models.random_spec(
            rng,
            generator,
            name="boot",
            kernel_shape=(32, 1, 1, 7),
            with_signs=False,
            synthesis="boot",
        ),
    ]


@pytest.fixture(scope="session")
def tiny_model(tiny_specs) -> bytes:
    """A model with one GeneratePW op per tiny spec."""
    return tiny_models.build_model(tiny_specs)


@pytest.fixture(scope="session")
def tiny_dense_model(tiny_specs) -> bytes:
    """The same model with constant kernels."""
    return tiny_models.build_model(tiny_specs, generated=False)


@pytest.fixture(scope="session")
def tiny_inputs(tiny_specs) -> np.ndarray:
    """int8 inputs of the tiny models."""
    channels = tiny_specs[0].kernel_shape[3]
    shape = (20, tiny_models.HEIGHT, tiny_models.WIDTH, channels)
    rng = np.random.default_rng(8)
    return rng.integers(-128, 128, shape).astype(np.int8)


@pytest.fixture(scope="session")
def reference(tmp_path_factory) -> pathlib.Path:
    """Folder of a training that nothing interrupted."""
    import commands

    out = tmp_path_factory.mktemp("reference")
    commands.run(*commands.TRAIN, f"--out={out}")
    return out


@pytest.fixture(scope="session", params=arduino_exports.MODELS)
def exported(request, tmp_path_factory):
    """Content of a model, and what was written for it."""
    from keras_hypertinypw import export_arduino

    folder = tmp_path_factory.mktemp("arduino") / request.param
    content = arduino_exports.MODELS[request.param]()
    return content, export_arduino(content, folder)


@pytest.fixture
def tiny_export(tmp_path):
    from keras_hypertinypw import export_arduino

    return export_arduino(arduino_exports.tiny_model(), tmp_path / "out")


@pytest.fixture(scope="module")
def generator() -> GeneratorSpec:
    """The generator of `models`."""
    return shared_models.generator()


@pytest.fixture(scope="module")
def models() -> list[bytes]:
    """Files whose layers share `generator`; see `shared_models.models`."""
    return shared_models.models()


@pytest.fixture(scope="module")
def firmware() -> SharedFirmware:
    """`models` with their generator taken out."""
    return shared_models.firmware()
