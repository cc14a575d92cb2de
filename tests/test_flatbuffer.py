import time

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import interpreter as litert
from ai_edge_litert import schema_py_generated as schema
from dense_models import (
    buffer_offsets,
    dense_model,
    random_inputs,
    random_specs,
    run,
    stock_model,
)

from keras_hypertinypw import flatbuffer
from keras_hypertinypw.byte_ranges import walk_vectors
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.op_insertion import insert_generate_ops, read_specs

SECONDS_PER_FILE = 1.0
# The stock converter leaves most buffers unaligned. The builder of the
# schema, with fields in the schema's order, would cost another 110 bytes.
ALIGNMENT_COST = 32


@pytest.fixture(scope="module")
def generated():
    specs = random_specs(np.random.default_rng(1))
    return insert_generate_ops(dense_model(specs), specs)


def test_writing_keeps_what_the_model_computes():
    inputs = random_inputs(np.random.default_rng(2))
    rewritten = write_model(read_model(stock_model()))
    expected = run(stock_model(), inputs)
    assert len(np.unique(expected)) >= 50
    np.testing.assert_array_equal(run(rewritten, inputs), expected)


def test_writing_is_deterministic_and_stable():
    once = write_model(read_model(stock_model()))
    assert write_model(read_model(stock_model())) == once
    assert write_model(read_model(once)) == once


def test_writing_grows_a_stock_file_by_no_more_than_alignment():
    rewritten = write_model(read_model(stock_model()))
    assert len(rewritten) <= len(stock_model()) + ALIGNMENT_COST


def test_every_buffer_starts_at_a_multiple_of_16(generated):
    for content in (generated, write_model(read_model(stock_model()))):
        offsets = buffer_offsets(content)
        assert len(offsets) >= 8
        assert [offset % 16 for offset in offsets] == [0] * len(offsets)


@pytest.mark.parametrize("size", [1, 3, 15, 16, 17, 250])
def test_alignment_holds_beside_odd_sizes(size):
    model = read_model(stock_model())
    for length in (size, size + 1, size + 5):
        flatbuffer.add_buffer(model, bytes(length))
    offsets = buffer_offsets(write_model(model))
    assert not any(offset % 16 for offset in offsets)


def test_custom_options_are_not_aligned_like_buffers():
    model = read_model(stock_model())
    sizes = []
    for kind in (list, np.array):  # The schema packs a list byte by byte.
        for operator in model.subgraphs[0].operators:
            operator.customOptions = kind(np.zeros(8, np.uint8))
        sizes.append(len(write_model(model)))
    assert sizes[0] == sizes[1]


def test_empty_buffers_have_no_data_vector():
    model = read_model(stock_model())
    before = len(write_model(model))
    model.buffers[0].data = np.zeros(0, np.uint8)
    assert len(write_model(model)) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"TFL3",
        b"\x08\0\0\0XXXX" + bytes(64),
        bytes(64),
        b"not a model, but long enough to hold a header",
    ],
)
def test_other_bytes_are_refused(content):
    with pytest.raises(ConversionError, match=r"identifier.*Received: "):
        read_model(content)


def test_a_path_instead_of_bytes_is_refused():
    with pytest.raises(ConversionError, match=r"str.*read_bytes"):
        read_model("model.tflite")


def read_or_refuse(content):
    """Returns whether the bytes were refused, in time and as promised."""
    start = time.process_time()
    try:
        read_specs(content)
    except ConversionError as error:
        assert "Received: " in str(error)
        refused = True
    else:
        write_model(read_model(content))
        refused = False
    assert time.process_time() - start < SECONDS_PER_FILE
    return refused


def test_truncated_files_are_refused(generated):
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, len(generated), 200)
    refused = [read_or_refuse(generated[:length]) for length in lengths]
    assert sum(refused) >= 190


def test_random_bytes_behind_the_identifier_are_refused():
    rng = np.random.default_rng(5)
    for _ in range(200):
        noise = rng.bytes(int(rng.integers(8, 20000)))
        content = rng.integers(8, 64).astype("<u4").tobytes() + b"TFL3" + noise
        read_or_refuse(content)


@pytest.mark.parametrize("count", [1 << 20, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_giant_vector_is_refused_by_name(count):
    # Root offset 8; vtable of Model with `subgraphs` at its third slot.
    vtable = np.array([10, 8, 0, 0, 4], "<u2").tobytes().ljust(12, b"\0")
    root = np.array([8 + len(vtable)], "<u4").tobytes() + b"TFL3"
    table = np.array([len(vtable), 4, count], "<u4").tobytes()
    with pytest.raises(ConversionError, match="Model.subgraphs"):
        read_model(root + vtable + table)


def test_a_name_that_ends_outside_the_file_is_refused(generated):
    path = ("subgraphs", 0, "tensors", 3, "name")
    (name,) = (v for v in walk_vectors(generated) if v.path == path)
    content = bytearray(generated)
    too_long = len(content) - name.start + 1
    content[name.start - 4 : name.start] = too_long.to_bytes(4, "little")
    with pytest.raises(ConversionError, match="Tensor.name"):
        read_model(bytes(content))


def test_a_small_file_of_endlessly_shared_tables_is_refused():
    count = 3000  # 24 kB that read as 9 million tensors.
    builder = flatbuffers.Builder()
    schema.TensorStart(builder)
    tensor = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    subgraph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(subgraph)
    subgraphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, subgraphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    assert read_or_refuse(bytes(builder.Output()))


def break_buffer_index(model):
    model.subgraphs[0].tensors[2].buffer = 9999


def break_opcode_index(model):
    model.subgraphs[0].operators[0].opcodeIndex = 9999


def break_operator_input(model):
    model.subgraphs[0].operators[1].inputs = [0, 9999]


def break_graph_output(model):
    model.subgraphs[0].outputs = [9999]


def break_signature(model):
    model.signatureDefs[0].inputs[0].tensorIndex = 9999


def break_metadata(model):
    model.metadata[0].buffer = 9999


def fill_buffer_0(model):
    model.buffers[0].data = np.ones(4, np.uint8)


def make_a_constant_variable(model):
    tensors = model.subgraphs[0].tensors
    constants = [
        tensor for tensor in tensors if flatbuffer.is_constant(model, tensor)
    ]
    constants[0].isVariable = True


def use_unknown_options(model):
    model.subgraphs[0].operators[0].builtinOptionsType = 250


def keep_data_behind_the_file(model):
    model.buffers[1].offset = 4096


def drop_subgraphs(model):
    model.subgraphs = []


@pytest.mark.parametrize(
    "damage, message",
    [
        (break_buffer_index, "Tensor.buffer.*9999"),
        (break_opcode_index, "opcode_index.*9999"),
        (break_operator_input, "Operator.inputs.*9999"),
        (break_graph_output, "SubGraph.*9999"),
        (break_signature, "TensorMap.*9999"),
        (break_metadata, "Metadata.buffer.*9999"),
        (fill_buffer_0, "empty buffer 0"),
        (make_a_constant_variable, "variables without data"),
        (use_unknown_options, "type 250"),
        (keep_data_behind_the_file, "inside the flatbuffer"),
        (drop_subgraphs, "at least one subgraph"),
    ],
)
def test_a_model_that_cannot_be_right_is_refused(damage, message):
    model = read_model(stock_model())
    damage(model)
    with pytest.raises(ConversionError, match=message):
        read_model(write_model(model))


def test_tensors_agree_with_litert():
    model = read_model(stock_model())
    interpreter = litert.Interpreter(model_content=stock_model())
    constants = 0
    for details in interpreter.get_tensor_details():
        if not details["name"]:
            continue  # LiteRT's own scratch tensors.
        tensor = flatbuffer.find_tensor(model.subgraphs[0], details["name"])
        params = details["quantization_parameters"]
        np.testing.assert_array_equal(
            flatbuffer.scales(tensor), params["scales"]
        )
        np.testing.assert_array_equal(
            flatbuffer.zero_points(tensor), params["zero_points"]
        )
        if flatbuffer.is_constant(model, tensor):
            constants += 1
            data = flatbuffer.tensor_data(model, tensor)
            expected = interpreter.get_tensor(details["index"])
            np.testing.assert_array_equal(data, expected)
    assert constants >= 8


def test_a_missing_tensor_is_named():
    graph = read_model(stock_model()).subgraphs[0]
    with pytest.raises(ConversionError, match=r"'nowhere'.*Choose one of"):
        flatbuffer.find_tensor(graph, "nowhere")


def test_data_that_does_not_fill_the_shape_is_refused():
    model = read_model(stock_model())
    tensor = model.subgraphs[0].tensors[2]
    tensor.shape = [40, 641]
    with pytest.raises(ConversionError, match=r"\(40, 641\).*25600 bytes"):
        flatbuffer.tensor_data(model, tensor)


def test_data_of_an_activation_is_refused():
    model = read_model(stock_model())
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    with pytest.raises(ConversionError, match="constant=False"):
        flatbuffer.tensor_data(model, tensor)


def test_operators_have_the_names_of_the_schema():
    model = read_model(stock_model())
    operators = model.subgraphs[0].operators
    names = [flatbuffer.operator_name(model, op) for op in operators]
    assert names == [
        *("CONV_2D", "CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D"),
        *("CONV_2D", "CONV_2D", "RESHAPE", "FULLY_CONNECTED"),
    ]


def test_old_files_keep_the_operator_in_the_deprecated_field():
    model = read_model(stock_model())
    before = [flatbuffer.builtin_code(code) for code in model.operatorCodes]
    for code in model.operatorCodes:
        code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0
    after = [flatbuffer.builtin_code(code) for code in model.operatorCodes]
    assert after == before


def test_consumers_are_operators_with_their_input_position():
    graph = read_model(stock_model(True)).subgraphs[0]
    shared = graph.operators[2].inputs[1]
    assert list(flatbuffer.consumers(graph, shared)) == [(2, 1), (4, 1)]
