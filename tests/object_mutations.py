"""Damages what `.tflite` files say; their offsets stay sound."""

from __future__ import annotations

import numpy as np

from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.spec import CRC_OFFSET, HEADER_SIZE, blob_crc


class ObjectMutator:
    """Changes tensors, buffers, operators and ports of a file."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __call__(self, rng: np.random.Generator) -> bytes:
        """Returns a copy with one or two changes."""
        model = read_model(self._content)
        changes = (
            *(_shape, _type, _buffer, _variable, _quantization, _rename),
            *(_data, _data, _opcode, _code, _wire, _wire, _wire, _options),
            *(_options, _drop_operator, _repeat_operator, _ports, _signature),
            _repeat_subgraph,
        )
        for _ in range(rng.integers(1, 3)):
            changes[rng.integers(len(changes))](rng, model)
        return write_model(model)


def _pick(rng, items):
    return items[rng.integers(len(items))]


def _tensor(rng, model):
    return _pick(rng, model.subgraphs[0].tensors)


def _index(rng, count: int) -> int:
    if rng.random() < 0.1:
        return int(rng.choice([-1, -2, count, 1 << 30]))
    return int(rng.integers(count))


def _shape(rng, model) -> None:
    tensor = _tensor(rng, model)
    shape = list(tensor.shape or [])
    place = int(rng.integers(len(shape) + 1))
    if rng.random() < 0.3:
        shape.insert(place, int(rng.choice([0, 1, 2])))
    elif shape and rng.random() < 0.3:
        shape.pop(place - 1)
    elif shape and rng.random() < 0.3:
        rng.shuffle(shape)
    elif shape:
        shape[place - 1] = int(rng.choice([-1, 0, 1, 3, 16, 1 << 30]))
    tensor.shape = [int(size) for size in shape]


def _type(rng, model) -> None:
    _tensor(rng, model).type = int(rng.integers(-1, 20))


def _buffer(rng, model) -> None:
    _tensor(rng, model).buffer = abs(_index(rng, len(model.buffers)))


def _variable(rng, model) -> None:
    _tensor(rng, model).isVariable = True


def _rename(rng, model) -> None:
    names = [b"", b"\xff\xfe", None, _tensor(rng, model).name]
    _tensor(rng, model).name = _pick(rng, names)


def _quantization(rng, model) -> None:
    tensor = _tensor(rng, model)
    params = tensor.quantization
    if params is None or rng.random() < 0.2:
        tensor.quantization = None
        return
    params.quantizedDimension = int(rng.integers(-2, 5))
    scale = np.zeros(0) if params.scale is None else params.scale
    size = int(rng.integers(0, 2 * len(scale) + 2))
    values = [0.0, -1.0, 1e30, 1e-30, np.nan, np.inf, 0.5]
    params.scale = rng.choice(values, size).astype(np.float32)
    if rng.random() < 0.5:
        params.zeroPoint = rng.integers(-(1 << 62), 1 << 62, size)


def _data(rng, model) -> None:
    """Changes the data of a buffer, and repairs the CRC if it has one."""
    buffer = _pick(rng, model.buffers[1:])
    data = bytearray(b"" if buffer.data is None else buffer.data.tobytes())
    for _ in range(rng.integers(0, 4)):
        place = int(rng.integers(len(data) + 1))
        data[place : place + 1] = rng.bytes(1)
    if rng.random() < 0.2:
        del data[int(rng.integers(len(data) + 1)) :]
    if len(data) >= HEADER_SIZE and rng.random() < 0.7:
        told = len(data).to_bytes(4, "little")
        if bytes(data[8:12]) == told:
            crc = blob_crc(bytes(data[:CRC_OFFSET]), bytes(data[HEADER_SIZE:]))
            data[CRC_OFFSET:HEADER_SIZE] = crc.to_bytes(4, "little")
    buffer.data = np.frombuffer(bytes(data), np.uint8)


def _opcode(rng, model) -> None:
    operator = _pick(rng, model.subgraphs[0].operators)
    operator.opcodeIndex = abs(_index(rng, len(model.operatorCodes)))


def _code(rng, model) -> None:
    code = _pick(rng, model.operatorCodes)
    if rng.random() < 0.5:
        code.customCode = _pick(rng, [None, b"GeneratePW", b"\xff", b"Other"])
    else:
        code.builtinCode = int(rng.integers(-2, 220))


def _wire(rng, model) -> None:
    graph = model.subgraphs[0]
    operator = _pick(rng, graph.operators)
    indices = _pick(rng, [operator.inputs, operator.outputs])
    if not indices or rng.random() < 0.2:
        indices.append(_index(rng, len(graph.tensors)))
    elif rng.random() < 0.2:
        indices.pop()
    else:
        place = int(rng.integers(len(indices)))
        indices[place] = _index(rng, len(graph.tensors))


def _options(rng, model) -> None:
    custom = [
        op
        for op in model.subgraphs[0].operators
        if op.customOptions is not None
    ]
    operator = _pick(rng, custom or model.subgraphs[0].operators)
    data = operator.customOptions
    options = bytearray(b"" if data is None else bytes(data))
    place = int(rng.integers(len(options) + 1))
    options[place : place + 1] = bytes([int(rng.choice([0, 1, 2, 4, 8, 200]))])
    if rng.random() < 0.2:
        del options[place:]
    operator.customOptions = list(options)


def _drop_operator(rng, model) -> None:
    operators = model.subgraphs[0].operators
    del operators[rng.integers(len(operators))]


def _repeat_operator(rng, model) -> None:
    operators = model.subgraphs[0].operators
    if operators:
        place = int(rng.integers(len(operators) + 1))
        operators.insert(place, _pick(rng, operators))


def _repeat_subgraph(rng, model) -> None:
    model.subgraphs.append(_pick(rng, model.subgraphs))


def _ports(rng, model) -> None:
    graph = model.subgraphs[0]
    indices = _pick(rng, [graph.inputs, graph.outputs])
    indices.append(_index(rng, len(graph.tensors)))
    if rng.random() < 0.8:
        indices.pop(0)


def _signature(rng, model) -> None:
    entries = [*(model.signatureDefs or []), *(model.metadata or [])]
    if not entries:
        return
    entry = _pick(rng, entries)
    if hasattr(entry, "buffer"):
        entry.buffer = abs(_index(rng, len(model.buffers)))
    elif entry.inputs and rng.random() < 0.5:
        item = _pick(rng, entry.inputs)
        item.tensorIndex = abs(_index(rng, len(model.subgraphs[0].tensors)))
    else:
        entry.subgraphIndex = abs(_index(rng, len(model.subgraphs)))
