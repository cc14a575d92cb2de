import configparser
import pathlib
import subprocess
import sys
import zlib

import numpy as np
import pytest
import random_specs
import tiny_models
from cpp_build import REPOSITORY

from keras_hypertinypw import integer, native, spec, spec_reader

NUM_SPECS = 2000


def bytes_of(layer: spec.PointwiseSpec) -> tuple[bytes, bytes, bytes]:
    return (
        layer.options_to_bytes(),
        layer.codes_to_bytes(),
        layer.generator.to_bytes(),
    )


def test_cpp_equals_integer_on_random_specs():
    """Gate 3."""
    rng = np.random.default_rng(2603)
    values = np.zeros(256, np.int64)
    varied = signed = skipped = cut = 0
    for layer in random_specs.random_specs(rng, NUM_SPECS):
        expected = integer.synthesize(layer)
        actual = native.synthesize(*bytes_of(layer), layer.kernel_shape)
        np.testing.assert_array_equal(actual, expected)
        values += np.bincount(expected.reshape(-1) + 128, minlength=256)
        varied += len(np.unique(expected)) > 10
        signed += bool(layer.row_signs.any())
        skipped += layer.generator.skip_weights is not None
        cut += layer.num_weights % layer.generator.block_size != 0
    # A comparison of constants would compare nothing.
    assert values[0] == 0
    assert np.count_nonzero(values[1:]) == 255
    assert values.max() < values.sum() / 2
    assert min(varied, signed, skipped, cut) > NUM_SPECS / 4


@pytest.fixture(scope="module")
def layer() -> spec.PointwiseSpec:
    rng = np.random.default_rng(1)
    generator = tiny_models.random_generator(rng, use_skip=True)
    return tiny_models.random_spec(rng, generator)


OPTIONS_ERRORS = {
    (0, 2): "custom options are of an unknown version",
    (1, 3): "code_bits",
    (2, 2): "residency",
    (3, 2): "synthesis",
    (4, 2): "reserved bits",
    (5, 1): "reserved bits",
    (7, 128): "reserved bits",
}


@pytest.mark.parametrize("change", OPTIONS_ERRORS, ids=str)
def test_options_error(layer, change):
    options, codes, blob = bytes_of(layer)
    changed = bytearray(options)
    changed[change[0]] = change[1]
    with pytest.raises(ValueError, match=OPTIONS_ERRORS[change]):
        native.validate(bytes(changed), codes, blob, layer.kernel_shape)


def test_boot_needs_cached(layer):
    options, codes, blob = bytes_of(layer)
    changed = options[:2] + b"\1\1" + options[4:]
    with pytest.raises(ValueError, match="boot synthesis needs a cached"):
        native.validate(changed, codes, blob, layer.kernel_shape)


def with_crc(blob: bytes) -> bytes:
    start, end = blob[: spec.CRC_OFFSET], blob[spec.HEADER_SIZE :]
    crc = zlib.crc32(end, zlib.crc32(start))
    return start + crc.to_bytes(4, "little") + end


BLOB_ERRORS = {
    (0, 2): "unknown version",
    (1, 1): "unknown kind",
    (2, 0): "num_layers",
    (2, 5): "num_layers",
    (3, 0): "code_dim",
    (3, 129): "code_dim",
    (4, 49): "num_out",
    (5, 17): "block_size",
    (6, 2): "reserved flags",
    (7, 9): "skip_shift",
    (8, 0): "size",
    (17, 2): "num_out",
    (18, 0): "shift",
    (18, 25): "shift",
    (19, 17): "bias_shift",
}


@pytest.mark.parametrize("change", BLOB_ERRORS, ids=str)
def test_blob_error(layer, change):
    options, codes, blob = bytes_of(layer)
    changed = bytearray(blob)
    changed[change[0]] = change[1]
    with pytest.raises(ValueError, match=BLOB_ERRORS[change]):
        native.validate(
            options, codes, with_crc(bytes(changed)), layer.kernel_shape
        )


def test_any_changed_bit_breaks_the_crc(layer):
    options, codes, blob = bytes_of(layer)
    for offset in (12, 15, spec.HEADER_SIZE + 8, len(blob) - 1):
        changed = bytearray(blob)
        changed[offset] ^= 1
        with pytest.raises(ValueError, match="CRC-32"):
            native.validate(options, codes, bytes(changed), layer.kernel_shape)


@pytest.fixture
def shared(layer):
    """Options, codes and a reference to the blob that is set."""
    options, codes, blob = bytes_of(layer)
    native.share(blob)
    yield options, codes, spec.reference_to(blob), blob
    native.share(None)


def test_cpp_equals_integer_with_shared_generators(shared):
    rng = np.random.default_rng(2604)
    values = np.zeros(256, np.int64)
    for layer in random_specs.random_specs(rng, NUM_SPECS // 10):
        options, codes, blob = bytes_of(layer)
        native.share(blob)
        reference = spec.reference_to(blob)
        actual = native.synthesize(
            options, codes, reference, layer.kernel_shape
        )
        expected = integer.synthesize(layer)
        np.testing.assert_array_equal(actual, expected)
        values += np.bincount(expected.reshape(-1) + 128, minlength=256)
    assert np.count_nonzero(values[1:]) == 255


# Byte of the reference, its value, and what the C++ says.
REFERENCE_ERRORS = {
    (0, 2): "unknown version",
    (1, 0): "size is not",
    (1, 2): "size is not",
    (2, 1): "reserved flags",
    (3, 255): "reserved flags",
    (4, None): "another one",
    (7, None): "another one",
}


@pytest.mark.parametrize("change", REFERENCE_ERRORS, ids=str)
def test_reference_error(layer, shared, change):
    options, codes, reference, blob = shared
    offset, value = change
    changed = bytearray(reference)
    changed[offset] = changed[offset] ^ 1 if value is None else value
    with pytest.raises(ValueError, match=REFERENCE_ERRORS[change]):
        native.validate(options, codes, bytes(changed), layer.kernel_shape)
    # Python refuses it too, there or as a blob.
    with pytest.raises(ValueError, match="Expected .* Received: "):
        spec_reader.read_generator(
            spec_reader.resolve_reference(bytes(changed), blob)
        )


@pytest.mark.parametrize("size", [0, 1, 7, 9, 16])
def test_a_reference_of_another_size_is_no_blob(layer, shared, size):
    options, codes, reference, blob = shared
    changed = reference[:size].ljust(size, b"\0")
    with pytest.raises(ValueError, match="GeneratePW: the generator"):
        native.validate(options, codes, changed, layer.kernel_shape)
    assert spec_reader.resolve_reference(changed, blob) == changed


SHARED_ERRORS = {
    None: "call SetSharedGenerator",
    15: "size is not",
    16: "size is not",
    -1: "size is not",
}


@pytest.mark.parametrize("size", SHARED_ERRORS, ids=str)
def test_shared_generator_error(layer, shared, size):
    options, codes, reference, blob = shared
    short = None if size is None else blob[:size]
    native.share(short)
    with pytest.raises(ValueError, match=SHARED_ERRORS[size]):
        native.validate(options, codes, reference, layer.kernel_shape)
    with pytest.raises(ValueError, match="Expected .* Received: "):
        spec_reader.read_generator(
            spec_reader.resolve_reference(reference, short)
        )


def test_a_damaged_shared_generator_is_an_error(layer, shared):
    options, codes, reference, blob = shared
    for offset in (spec.HEADER_SIZE + 8, len(blob) - 1):
        changed = bytearray(blob)
        changed[offset] ^= 1
        native.share(bytes(changed))
        with pytest.raises(ValueError, match="wrong CRC-32"):
            native.validate(options, codes, reference, layer.kernel_shape)


@pytest.mark.parametrize(
    "shape", [(), (0,), (10, -1), (1, 1, 1, 10, 12), (1 << 20, 1 << 20)]
)
def test_kernel_shape_error(layer, shape):
    with pytest.raises(ValueError, match="kernel's shape"):
        native.validate(*bytes_of(layer), shape)


@pytest.mark.parametrize("length", [0, 1, -1, 1000])
def test_codes_size_error(layer, length):
    options, codes, blob = bytes_of(layer)
    changed = codes[:length] if length <= 1 else codes + bytes(length)
    with pytest.raises(ValueError, match="codes' size"):
        native.validate(options, changed, blob, layer.kernel_shape)


def test_a_missing_compiler_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(RuntimeError, match="package g\\+\\+"):
        native.compiled_library()


def test_a_failing_compiler_is_an_error_with_its_output(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(native, "FLAGS", (*native.FLAGS, "-no-such-flag"))
    with pytest.raises(RuntimeError, match="no-such-flag"):
        native.compiled_library()


def test_two_processes_may_compile_at_once(tmp_path):
    code = "from keras_hypertinypw import native; native.compiled_library()"
    env = {"XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={"PATH": "/usr/bin:/bin", **env},
        )
        for _ in range(2)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    (library,) = (tmp_path / "keras_hypertinypw").iterdir()
    assert library.suffix == ".so"


def test_changed_sources_get_a_library_of_their_own(tmp_path):
    first = native._library_name(native.source_dir())
    (tmp_path / "generate_pw.cc").write_text("// Changed.")
    assert native._library_name(tmp_path) != first


def test_setup_lists_every_package():
    config = configparser.ConfigParser()
    config.read(REPOSITORY / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    found = {
        str(path.parent.relative_to(REPOSITORY)).replace("/", ".")
        for path in (REPOSITORY / "keras_hypertinypw").rglob("__init__.py")
    }
    found |= {
        "keras_hypertinypw."
        + str(pathlib.Path("tflm_ops", name).parent).replace("/", ".")
        for name in native.SOURCES
    }
    assert listed == found
