import dataclasses
import json
import re

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from dense_models import (
    dense_model,
    pointwise_tensors,
    random_specs,
    stock_model,
)

from keras_hypertinypw.byte_ranges import walk_vectors
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    read_model,
    scales,
    tensor_data,
    write_model,
    zero_points,
)
from keras_hypertinypw.footprint import PARTS, Footprint, footprint
from keras_hypertinypw.formatting import format_bytes
from keras_hypertinypw.op_insertion import insert_generate_ops

FLOAT32_BYTES = 4
INT64_BYTES = 8


@pytest.fixture(scope="module")
def specs():
    first, second, *others = random_specs(np.random.default_rng(31))
    second = dataclasses.replace(second, residency="per_invoke")
    return [first, second, *others]


@pytest.fixture(scope="module")
def dense(specs):
    return dense_model(specs)


@pytest.fixture(scope="module")
def generated(dense, specs):
    # The last layer stays stored.
    return insert_generate_ops(dense, specs[:3])


def test_parts_add_up_to_the_file(dense, generated):
    for content in (stock_model(), dense, generated):
        result = footprint(content)
        assert tuple(result.by_part) == PARTS
        assert sum(result.by_part.values()) == len(content)
        assert result.flash_bytes == len(content)


def test_parts_of_the_op_are_its_tensors(generated, specs):
    parts = footprint(generated).by_part
    codes = [len(spec.codes_to_bytes()) for spec in specs[:3]]
    assert parts["codes"] == sum(codes)
    assert parts["generator"] == len(specs[0].generator.to_bytes())
    assert parts["heads"] == 0
    assert parts["stored_pointwise"] == specs[3].num_weights


def test_parts_of_a_dense_model_are_its_kernels(dense, specs):
    parts = footprint(dense).by_part
    assert parts["generator"] == parts["codes"] == 0
    assert parts["stored_pointwise"] == sum(s.num_weights for s in specs)
    assert parts["other_convolutions"] == 6 * 3 * 3 * 4
    assert parts["depthwise"] == 3 * 3 * 12
    assert parts["dense"] == 40 * 640
    assert parts["other_tensors"] == 2 * 4  # The shape for RESHAPE.


def test_only_what_changed_changes(dense, generated):
    before, after = footprint(dense).by_part, footprint(generated).by_part
    changed = {part for part in PARTS if before[part] != after[part]}
    assert changed == {"codes", "generator", "stored_pointwise", "structure"}


def test_scales_and_zero_points_are_counted_for_every_tensor(generated):
    tensors = read_model(generated).subgraphs[0].tensors
    expected = sum(
        scales(t).size * FLOAT32_BYTES + zero_points(t).size * INT64_BYTES
        for t in tensors
    )
    assert expected > 1000
    assert footprint(generated).by_part["scales_zero_points"] == expected


def test_minima_and_maxima_count_with_the_scales(dense):
    model = read_model(dense)
    params = model.subgraphs[0].tensors[0].quantization
    params.min = np.zeros(3, np.float32)
    params.max = np.ones(5, np.float32)
    grown = footprint(write_model(model)).by_part["scales_zero_points"]
    before = footprint(dense).by_part["scales_zero_points"]
    assert grown == before + 8 * FLOAT32_BYTES


def test_a_buffer_shared_by_tensors_counts_once(dense, specs):
    model = read_model(dense)
    kernels = pointwise_tensors(model)
    kernels[2].buffer = kernels[1].buffer
    before = footprint(dense)
    after = footprint(write_model(model))
    lost = specs[2].num_weights
    stored = before.by_part["stored_pointwise"]
    assert after.by_part["stored_pointwise"] == stored - lost
    names = [kernel.name.decode() for kernel in kernels[1:3]]
    both = sum(before.by_tensor[name] for name in names)
    assert sum(after.by_tensor[name] for name in names) == both - lost
    order = [tensor.name.decode() for tensor in model.subgraphs[0].tensors]
    first = min(names, key=order.index)
    assert after.by_tensor[first] == before.by_tensor[first]


def test_a_kernel_that_another_operator_reads_first_is_a_kernel(dense):
    model = read_model(dense)
    first, *_, last = model.subgraphs[0].operators
    first.inputs.append(last.inputs[1])
    result = footprint(write_model(model))
    assert result.by_part["dense"] == footprint(dense).by_part["dense"]


def test_data_shared_by_buffers_counts_once(dense, specs):
    # Two buffers whose offsets lead to the same data, as a slimmer writes.
    shapes = [spec.kernel_shape for spec in specs]
    assert shapes[1] == shapes[2]
    model = read_model(dense)
    _, second, third, _ = pointwise_tensors(model)
    content = bytearray(dense)
    raw = schema.Model.GetRootAs(content)
    fields = []
    for index in (second.buffer, third.buffer):
        table = raw.Buffers(index)._tab
        fields.append(table.Pos + table.Offset(4))
    # Offsets only lead forwards: the earlier field can reach both vectors.
    early, late = min(fields), max(fields)
    target = late + int.from_bytes(content[late : late + 4], "little")
    content[early : early + 4] = (target - early).to_bytes(4, "little")
    before, after = footprint(dense).by_part, footprint(bytes(content)).by_part
    lost = specs[1].num_weights
    assert after["stored_pointwise"] == before["stored_pointwise"] - lost
    assert after["structure"] == before["structure"] + lost
    assert sum(after.values()) == len(content)


def test_by_tensor_and_structure_add_up_to_the_file(dense, generated):
    for content in (dense, generated):
        result = footprint(content)
        tensors = sum(result.by_tensor.values())
        assert tensors + result.by_part["structure"] == len(content)


def test_by_tensor_names_codes_generator_and_kernel_scales(generated, specs):
    by_tensor = footprint(generated).by_tensor
    assert by_tensor["codes1"] == len(specs[1].codes_to_bytes())
    assert by_tensor["generator"] == len(specs[1].generator.to_bytes())
    kernel = pointwise_tensors(read_model(generated))[1].name.decode()
    assert by_tensor[kernel] == 12 * (FLOAT32_BYTES + INT64_BYTES)


def test_tensors_of_one_name_are_told_apart(dense):
    model = read_model(dense)
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"same"
    result = footprint(write_model(model))
    before = footprint(dense)
    assert len(result.by_tensor) == len(before.by_tensor)
    assert sorted(result.by_tensor.values()) == sorted(
        before.by_tensor.values()
    )


def test_a_constant_of_another_operator_is_no_structure(dense):
    model = read_model(dense)
    shape = model.subgraphs[0].tensors[
        model.subgraphs[0].operators[6].inputs[1]
    ]
    data = tensor_data(model, shape)
    shape.buffer = add_buffer(model, np.tile(data, 50).tobytes())
    parts = footprint(write_model(model)).by_part
    assert parts["other_tensors"] == 50 * data.nbytes


def test_metadata_is_structure(dense):
    model = read_model(dense)
    before = footprint(dense).by_part
    model.metadata[0].buffer = add_buffer(model, bytes(4096))
    after = footprint(write_model(model)).by_part
    assert after["structure"] >= before["structure"] + 4096 - 16
    assert after["other_tensors"] == before["other_tensors"]


def test_only_cached_kernels_stay_in_the_arena(generated, dense, specs):
    expected = specs[0].num_weights + specs[2].num_weights
    assert footprint(generated).cached_kernel_bytes == expected
    assert footprint(dense).cached_kernel_bytes == 0


def test_arena_is_what_the_caller_measured(generated):
    assert footprint(generated).arena_bytes is None
    assert footprint(generated, arena_bytes=5568).arena_bytes == 5568


def test_the_table_prints_every_part_and_the_whole_file(generated):
    result = footprint(generated, arena_bytes=5568)
    sizes = {}
    for line in str(result).splitlines():
        match = re.match(r"([a-z() ]+?) {2,}([\d,]+) ", line)
        sizes[match[1]] = int(match[2].replace(",", ""))
    for part, size in result.by_part.items():
        if size:
            assert sizes[part.replace("_", " ")] == size
    assert sizes["file (flash)"] == len(generated)
    assert sizes["kernels cached in arena"] == result.cached_kernel_bytes
    assert sizes["arena"] == 5568


def test_the_dictionary_survives_json(generated):
    result = footprint(generated)
    loaded = json.loads(json.dumps(result.to_dict()))
    assert Footprint(**loaded) == result


def test_parts_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="add up to 100 bytes.*Received: 99"):
        Footprint(100, {"structure": 99}, {}, 0)


def test_a_truncated_file_is_refused(generated):
    with pytest.raises(ConversionError):
        footprint(generated[:1000])


def test_a_walk_names_where_each_vector_is(dense):
    model = read_model(dense)
    vectors = {vector.path: vector for vector in walk_vectors(dense)}
    for index, buffer in enumerate(model.buffers):
        if buffer.data is not None:
            _, start, size = vectors["buffers", index, "data"]
            assert dense[start : start + size] == bytes(buffer.data)
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        _, start, size = vectors["subgraphs", 0, "tensors", index, "name"]
        assert dense[start : start + size] == tensor.name


@pytest.mark.parametrize(
    "num_bytes, text",
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (53936, "52.7 KiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_bytes_become_text_in_one_way(num_bytes, text):
    assert format_bytes(num_bytes) == text
