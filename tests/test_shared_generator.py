"""One generator for several models: files, bytes, errors, and TFLM."""

import dataclasses
import subprocess

import numpy as np
import pytest
import random_specs
import tiny_models
from cpp_build import STRICT, host_compiler, run

from keras_hypertinypw import (
    ConversionError,
    Interpreter,
    device,
    embed_generator,
    footprint,
    materialize,
    share_generator,
    shared_files,
    slim,
    spec,
    tflm_process,
    verify,
)
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.op_insertion import (
    GENERATOR_INPUT,
    insert_generate_ops,
    read_specs,
)

ARENA_SIZE = 1 << 20
SHAPES = ((10, 1, 1, 12), (7, 1, 1, 10), (32, 1, 1, 7))


def build(generator, seed, **options):
    """Returns a file of three layers, as this package writes files."""
    rng = np.random.default_rng(seed)
    specs = [
        tiny_models.random_spec(
            rng, generator, name=f"layer_{index}", kernel_shape=shape, **options
        )
        for index, shape in enumerate(SHAPES)
    ]
    return write_model(read_model(tiny_models.build_model(specs)))


@pytest.fixture(scope="module")
def generator():
    rng = np.random.default_rng(7)
    return tiny_models.random_generator(rng, use_skip=True)


@pytest.fixture(scope="module")
def models(generator, tiny_model):
    """Lazy, at boot, per invocation; all three in one; and slimmed."""
    files = [
        build(generator, 1),
        build(generator, 2, synthesis="boot", code_bits=8),
        build(generator, 3, residency="per_invoke", code_bits=1),
        write_model(read_model(tiny_model)),
    ]
    return [*files, slim(files[0])]


@pytest.fixture(scope="module")
def firmware(models):
    return share_generator(models)


def test_the_blob_is_the_generators(generator, firmware):
    assert firmware.generator == generator.to_bytes()


def test_a_file_loses_what_the_blob_takes(models, firmware):
    for before, after in zip(models, firmware.model_contents, strict=True):
        saved = len(before) - len(after)
        expected = len(firmware.generator) - spec.REFERENCE_SIZE
        # Data start at multiples of 16.
        assert abs(saved - expected) < 16
        assert firmware.generator not in after
    sizes = sum(map(len, firmware.model_contents))
    assert firmware.num_bytes == sizes + len(firmware.generator)


def test_embedding_inverts_sharing_to_the_last_byte(models, firmware):
    for before, after in zip(models, firmware.model_contents, strict=True):
        assert embed_generator(after, firmware.generator) == before


def test_a_slimmed_file_stays_slimmed(firmware):
    shared = firmware.model_contents[-1]
    assert slim(shared, generator=firmware.generator) == shared


def test_slimming_and_sharing_commute(firmware):
    shared, _, _, _, slimmed = firmware.model_contents
    assert slim(shared, generator=firmware.generator) == slimmed
    # Without the blob it is compared by value alone.
    assert slim(shared) == slimmed


def test_a_slimmed_file_is_compared_in_tflm(firmware):
    from keras_hypertinypw import slim_with_report

    content, blob = firmware.model_contents[0], firmware.generator
    _, report = slim_with_report(content, desktop=True, generator=blob)
    assert min(report.comparison.num_values[r] for r in ("TFLM", "LiteRT")) > 0
    _, report = slim_with_report(content)
    assert "SetSharedGenerator" in report.comparison.not_run["TFLM"]


def test_numpy_cpp_and_tflm_agree(models, firmware):
    for before, content in zip(models, firmware.model_contents, strict=True):
        result = verify(content, generator=firmware.generator)
        assert result.identical and result.num_distinct >= 50
        assert result.num_kernels == len(read_specs(before))
        alone = verify(before)
        assert result.generate_counts == alone.generate_counts
        # The state of an op holds nothing more.
        assert result.arena_bytes == alone.arena_bytes


def test_outputs_and_kernels_are_those_of_the_file_alone(
    models, firmware, tiny_inputs
):
    pairs = zip(models, firmware.model_contents, strict=True)
    for before, after in list(pairs)[:3]:
        with Interpreter(before) as alone:
            expected = alone.predict(tiny_inputs)
            kernels = alone.kernels
        with Interpreter(after, generator=firmware.generator) as shared:
            for _ in range(3):
                outputs = shared.predict(tiny_inputs)
                np.testing.assert_array_equal(outputs, expected)
                shared.reset()
            for kernel, other in zip(shared.kernels, kernels, strict=True):
                np.testing.assert_array_equal(kernel, other)
        assert len(np.unique(expected)) >= 50


def test_materialized_files_are_equal(models, firmware):
    for before, after in zip(models, firmware.model_contents, strict=True):
        folded = materialize(after, generator=firmware.generator)
        assert folded == materialize(before)


def test_footprint_counts_the_file_alone(models, firmware):
    before = footprint(models[0])
    after = footprint(firmware.model_contents[0], generator=firmware.generator)
    assert after.by_part["generator"] == spec.REFERENCE_SIZE
    assert before.by_part["generator"] == len(firmware.generator)
    assert after.cached_kernel_bytes == before.cached_kernel_bytes > 0
    assert after.by_part["codes"] == before.by_part["codes"]


def test_random_specs_survive_sharing():
    rng = np.random.default_rng(11)
    count = 0
    for layer in random_specs.random_specs(rng, 200):
        if len(layer.kernel_shape) < 4:
            continue
        count += 1
        content = write_model(read_model(tiny_models.build_model([layer])))
        shared = share_generator([content], verify=False)
        (found,) = read_specs(
            shared.model_contents[0], generator=shared.generator
        )
        assert found.generator.to_bytes() == layer.generator.to_bytes()
        assert found.codes_to_bytes() == layer.codes_to_bytes()
        embedded = embed_generator(shared.model_contents[0], shared.generator)
        assert embedded == content
    assert count >= 20


def test_a_new_model_for_an_old_firmware(generator, firmware):
    update = build(generator, 4)
    shared = share_generator([update], generator=firmware.generator)
    assert shared.generator == firmware.generator
    assert verify(
        shared.model_contents[0], generator=firmware.generator
    ).identical


def test_a_model_that_refers_to_it_already_stays(firmware):
    contents = list(firmware.model_contents)
    again = share_generator(contents, generator=firmware.generator)
    assert again == firmware


def load(content, generator):
    """Loads a file in TFLM, past the checks in Python."""
    process = tflm_process.TflmProcess(content, ARENA_SIZE, generator)
    process.close()


def changed(blob, offset):
    data = bytearray(blob)
    data[offset] ^= 1
    return bytes(data)


def test_tflm_says_what_is_wrong_with_the_blob(firmware):
    content, blob = firmware.model_contents[0], firmware.generator
    load(content, blob)
    for wrong, message in (
        (None, "call SetSharedGenerator"),
        (blob[:15], "size is not what its header says"),
        (blob[:-4], "size is not what its header says"),
        (blob + bytes(4), "size is not what its header says"),
        (changed(blob, spec.CRC_OFFSET), "is another one"),
        (changed(blob, 40), "wrong CRC-32"),
        (changed(blob, 0), "unknown version"),
        (changed(blob, 1), "unknown kind"),
    ):
        with pytest.raises(ConversionError, match=message):
            load(content, wrong)


def refer(content, reference):
    """Puts other bytes in the place of a file's reference."""
    model = read_model(content)
    tensors = model.subgraphs[0].tensors
    for operator in model.subgraphs[0].operators:
        if operator.customOptions is not None:
            tensor = tensors[operator.inputs[GENERATOR_INPUT]]
            tensor.shape = [len(reference)]
            data = np.frombuffer(reference, np.uint8)
            model.buffers[tensor.buffer].data = data
    return write_model(model)


def test_tflm_says_what_is_wrong_with_the_reference(firmware):
    content, blob = firmware.model_contents[0], firmware.generator
    reference = spec.reference_to(blob)
    assert refer(content, reference) == content
    for wrong, message in (
        (b"\2" + reference[1:], "unknown version"),
        (reference[:1] + b"\2" + reference[2:], "size is not"),
        (changed(reference, 2), "reserved flags"),
        (changed(reference, 4), "is another one"),
        (changed(reference, 7), "is another one"),
        (reference[:7], "size is not"),
        (reference + b"\0", "size is not"),
    ):
        with pytest.raises(ConversionError, match=message):
            load(refer(content, wrong), blob)


def test_any_reference_is_refused_or_exact(firmware, tiny_inputs):
    """Single bytes at random; Python and TFLM agree on which are good."""
    content, blob = firmware.model_contents[0], firmware.generator
    reference = spec.reference_to(blob)
    with Interpreter(content, generator=blob) as interpreter:
        expected = interpreter.predict(tiny_inputs)
    rng = np.random.default_rng(5)
    for position in range(spec.REFERENCE_SIZE):
        data = bytearray(reference)
        data[position] = rng.integers(256)
        damaged = refer(content, bytes(data))
        if bytes(data) == reference:
            with Interpreter(damaged, generator=blob) as interpreter:
                found = interpreter.predict(tiny_inputs)
            np.testing.assert_array_equal(found, expected)
            continue
        for refuse in (load, embed_generator):
            with pytest.raises(ConversionError):
                refuse(damaged, blob)
        with pytest.raises(ConversionError):
            read_specs(damaged, generator=blob)


NEEDS_IT = {
    "Interpreter": lambda content: Interpreter(content),
    "verify": verify,
    "materialize": materialize,
    "footprint": footprint,
    "read_specs": read_specs,
    "device_footprint": device.device_footprint,
    "share_generator": lambda content: share_generator([content]),
}


@pytest.mark.parametrize("name", NEEDS_IT)
def test_who_needs_the_blob_says_so(firmware, name):
    crc = firmware.generator[spec.CRC_OFFSET : spec.HEADER_SIZE]
    number = f"{int.from_bytes(crc, 'little'):#010x}"
    message = f"{number}, which.*Received: none.*generator.bin.*embed_gen"
    with pytest.raises(ConversionError, match=message):
        NEEDS_IT[name](firmware.model_contents[0])


@pytest.mark.parametrize(
    "name", ["Interpreter", "verify", "materialize", "footprint"]
)
def test_another_blob_is_refused_by_its_crc(firmware, name):
    function = {**NEEDS_IT, "Interpreter": Interpreter}[name]
    content, blob = firmware.model_contents[0], firmware.generator
    for wrong, received in (
        (changed(blob, spec.CRC_OFFSET), "one of 0x"),
        (blob[:15], "one of 15 bytes"),
        (blob[:-4], "that one, damaged"),
        (changed(blob, 40), "that one, damaged"),
    ):
        with pytest.raises(ConversionError, match=f"Received: {received}"):
            function(content, generator=wrong)


def another(generator, **changes):
    """Returns the generator with a part of its last layer replaced."""
    *first, last = generator.layers
    last = dataclasses.replace(last, **changes)
    return dataclasses.replace(generator, layers=(*first, last))


def bumped(array, *place):
    copy = array.copy()
    copy[place] ^= 1
    return copy


def test_the_first_difference_of_two_generators_is_named(generator):
    last = generator.layers[-1]
    rng = np.random.default_rng(1)
    for other, difference in (
        (
            another(generator, weights=bumped(last.weights, 3, 2)),
            r"layer 1, weights\[3, 2\]: ",
        ),
        (another(generator, bias=bumped(last.bias, 5)), r"layer 1, bias\[5\]:"),
        (
            another(generator, shift=last.shift + 1),
            f"layer 1, shift: {last.shift} and {last.shift + 1}",
        ),
        (
            dataclasses.replace(
                generator, skip_weights=bumped(generator.skip_weights, 1, 0)
            ),
            r"skip_weights\[1, 0\]: ",
        ),
        (
            dataclasses.replace(generator, skip_weights=None, skip_shift=0),
            "skip_shift: 1 and 0",
        ),
        (tiny_models.random_generator(rng, code_dim=4), "code_dim: 8 and 4"),
        (
            tiny_models.random_generator(
                rng, hidden_units=(16, 8), use_skip=True
            ),
            "num_layers: 2 and 3",
        ),
    ):
        files = [build(generator, 1), build(generator, 2), build(other, 3)]
        message = f"model 0 and model 2, .* differ in {difference}"
        with pytest.raises(ConversionError, match=message):
            share_generator(files)
        with pytest.raises(ConversionError, match="`generator` and model 0"):
            share_generator(files[2:], generator=generator.to_bytes())


def test_two_generators_in_one_model_are_an_error(generator):
    rng = np.random.default_rng(2)
    specs = [
        tiny_models.random_spec(
            rng,
            tiny_models.random_generator(rng),
            name=f"layer_{index}",
            kernel_shape=shape,
        )
        for index, shape in enumerate(SHAPES)
    ]
    dense = tiny_models.build_model(specs, generated=False)
    with pytest.raises(ConversionError, match="model 0 and model 0"):
        share_generator([insert_generate_ops(dense, specs)])


def test_what_has_no_reference_is_not_embedded(models, firmware):
    with pytest.raises(ConversionError, match="needs no other"):
        embed_generator(models[0], firmware.generator)
    with pytest.raises(ConversionError, match="needs no other"):
        embed_generator(materialize(models[0]), firmware.generator)


def test_what_generates_nothing_is_not_shared(models):
    with pytest.raises(ConversionError, match="model 1, counted from 0"):
        share_generator([models[0], materialize(models[1])])
    with pytest.raises(ValueError, match="at least one model"):
        share_generator([])


def test_a_blob_that_something_else_reads_stays(generator):
    """As slimmed files may have it: two tensors, one buffer."""
    model = read_model(build(generator, 1))
    graph = model.subgraphs[0]
    (index,) = {
        operator.inputs[GENERATOR_INPUT]
        for operator in graph.operators
        if operator.customOptions is not None
    }
    graph.tensors.append(type(graph.tensors[index])())
    other = graph.tensors[-1]
    other.name, other.type = b"twin", graph.tensors[index].type
    other.shape = graph.tensors[index].shape
    other.buffer = graph.tensors[index].buffer
    content = write_model(model)
    shared = share_generator([content], verify=False)
    assert shared.generator in shared.model_contents[0]
    assert verify(
        shared.model_contents[0], generator=shared.generator
    ).identical


MAIN = """\
#include <cstdio>

#include "generate_pw_shared.h"
#include "generator_data.h"

int main() {
  hypertinypw::SetSharedGenerator(kGeneratorData, kGeneratorSize);
  std::fwrite(kGeneratorData, 1, kGeneratorSize, stdout);
}
"""


def test_the_array_of_the_firmware_is_the_blob(firmware, tmp_path):
    from keras_hypertinypw import native

    out = tmp_path / "out"
    names = [f"model_{i}.tflite" for i in range(len(firmware.model_contents))]
    shared_files.write_shared(firmware, names, out)
    assert (out / "generator.bin").read_bytes() == firmware.generator
    for name, content in zip(names, firmware.model_contents, strict=True):
        assert (out / name).read_bytes() == content
    (out / "main.cc").write_text(MAIN)
    source = native.source_dir()
    files = [out / "main.cc", out / "generator_data.cc"]
    files.append(source / "generate_pw_shared.cc")
    flags = [f"-I{source}", f"-I{out}", "-o", out / "program"]
    run([host_compiler(), *STRICT, *files, *flags])
    printed = subprocess.check_output([out / "program"])
    assert printed == firmware.generator


def test_names_that_are_taken_are_refused(firmware, tmp_path):
    models = firmware.model_contents[:2]
    pair = dataclasses.replace(firmware, model_contents=models)
    for names in (["a", "a"], ["a", "generator.bin"]):
        with pytest.raises(ValueError, match="which is taken"):
            shared_files.write_shared(pair, names, tmp_path / "out")
    assert not (tmp_path / "out").exists()
