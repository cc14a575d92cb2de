"""Damaged blobs and references, other generators, and who says so."""

import dataclasses

import numpy as np
import pytest
import shared_models
import tiny_models

from keras_hypertinypw import (
    ConversionError,
    Interpreter,
    device,
    embed_generator,
    footprint,
    materialize,
    share_generator,
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
        files = [
            shared_models.build(generator, 1),
            shared_models.build(generator, 2),
            shared_models.build(other, 3),
        ]
        first, last = (rf"`model_contents\[{i}\]`" for i in (0, 2))
        message = f"{first} and {last}, which differ in {difference}"
        with pytest.raises(ConversionError, match=message):
            share_generator(files)
        with pytest.raises(ConversionError, match="`generator` and `model_"):
            share_generator(files[2:], generator=generator.to_bytes())


NAME = r"`model_contents\[0\]`"


def test_two_generators_in_one_model_are_an_error(generator):
    rng = np.random.default_rng(2)
    specs = [
        tiny_models.random_spec(
            rng,
            tiny_models.random_generator(rng),
            name=f"layer_{index}",
            kernel_shape=shape,
        )
        for index, shape in enumerate(shared_models.SHAPES)
    ]
    dense = tiny_models.build_model(specs, generated=False)
    with pytest.raises(ConversionError, match=rf"{NAME} and {NAME}"):
        share_generator([insert_generate_ops(dense, specs)])


def test_what_has_no_reference_is_not_embedded(models, firmware):
    with pytest.raises(ConversionError, match="needs no other"):
        embed_generator(models[0], firmware.generator)
    with pytest.raises(ConversionError, match="needs no other"):
        embed_generator(materialize(models[0]), firmware.generator)


def test_what_generates_nothing_is_not_shared(models):
    with pytest.raises(
        ConversionError, match=r"Received: `model_contents\[1\]` without"
    ):
        share_generator([models[0], materialize(models[1])])
    with pytest.raises(ValueError, match="at least one model"):
        share_generator([])
