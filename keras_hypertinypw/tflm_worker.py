"""The child process of `interpreter.py`: runs one model in the TFLM wheel.

The wheel prints to stdout and stderr and aborts its process on some models, so
it gets a process of its own. Run as a script, by path: importing the package
would import TensorFlow.

A message is a header, `_FRAME`, a JSON object, then raw bytes. Requests are
`{"command": name, ...}`; every answer has a `"status"`: "ok", "error" with a
`"message"` (and, where the wheel printed, `"details"`), or "busy", after which
another answer follows.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

_FRAME = struct.Struct("<IQ")  # Sizes of the JSON and of the raw bytes.
_BUSY_SECONDS = 1.0

_ARENA_TOTAL = re.compile(r"Arena allocation total (\d+) bytes")
_REGISTERER = "HypertinypwRegisterOps"

Answer = tuple[dict[str, Any], bytes]


class _GeneratedOp(ctypes.Structure):
    """`HypertinypwOp` of `tflm_ops/host/register_wheel.cc`."""

    _fields_ = (
        ("generate_count", ctypes.c_int32),
        ("num_weights", ctypes.c_int32),
        ("weights", ctypes.POINTER(ctypes.c_int8)),
    )


def _read_exactly(stream: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(stream, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(stream: int, header: dict[str, Any], payload: bytes = b"") -> None:
    text = json.dumps(header).encode()
    data = memoryview(_FRAME.pack(len(text), len(payload)) + text + payload)
    while data:
        data = data[os.write(stream, data) :]


def _load_runtime() -> Any:
    """Imports the wheel and lets others link against its symbols."""
    from tflite_micro.python.tflite_micro import _runtime, runtime

    ctypes.CDLL(_runtime.__file__, ctypes.RTLD_GLOBAL)
    return runtime


class Worker:
    """One model, its interpreter, and what its GeneratePW ops did.

    Args:
        library: Path of the library that `native.py` compiled.
        busy: Called now and then during long work.
    """

    def __init__(self, library: str, busy: Callable[[], None]) -> None:
        self._runtime = _load_runtime()
        self._busy = busy
        self._ops = ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
        self._ops.HypertinypwLastError.restype = ctypes.c_char_p
        self._libc = ctypes.CDLL(None)
        self._interpreter: Any = None

    def _printed(self) -> int:
        self._libc.fflush(None)
        return os.fstat(2).st_size

    def _printed_since(self, offset: int) -> str:
        size = self._printed() - offset
        return os.pread(2, size, offset).decode("utf-8", "replace")

    def share(self, request: dict[str, Any], payload: bytes) -> Answer:
        """Sets the generator that models refer to."""
        size = ctypes.c_size_t(len(payload))
        self._ops.HypertinypwSetSharedGenerator(payload, size)
        return {"status": "ok"}, b""

    def load(self, request: dict[str, Any], model_content: bytes) -> Answer:
        """Creates the interpreter."""
        offset = self._printed()
        try:
            self._interpreter = self._runtime.Interpreter.from_bytes(
                model_content,
                custom_op_registerers=[_REGISTERER],
                arena_size=request["arena_size"],
            )
        except (RuntimeError, ValueError) as error:
            printed = self._printed_since(offset)
            reason = self._ops.HypertinypwLastError().decode()
            details = f"{error} {' '.join(printed.split())}"
            answer = {"status": "error", "message": reason or details}
            return {**answer, "details": details}, b""
        return {"status": "ok"}, b""

    def smallest_arena(
        self, request: dict[str, Any], model_content: bytes
    ) -> Answer:
        """Bisects between a size that is too small and one that is not."""
        low, high = request["low"], request["high"]
        while high - low > 1:
            self._busy()
            middle = (low + high) // 2
            answer, _ = self.load({"arena_size": middle}, model_content)
            if answer["status"] == "ok":
                high = middle
            else:
                low = middle
        return {"status": "ok", "num_bytes": high}, b""

    def predict(self, request: dict[str, Any], payload: bytes) -> Answer:
        """Runs samples through all inputs and outputs, one by one."""
        inputs = []
        for dtype, shape in request["inputs"]:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            inputs.append(np.frombuffer(payload[:size], dtype).reshape(shape))
            payload = payload[size:]
        outputs: list[list[bytes]] = [[] for _ in range(request["num_outputs"])]
        said = time.monotonic()
        for index in range(request["num_samples"]):
            for port, samples in enumerate(inputs):
                self._interpreter.set_input(samples[index], port)
            self._interpreter.invoke()
            for port, parts in enumerate(outputs):
                parts.append(self._interpreter.get_output(port).tobytes())
            if time.monotonic() - said > _BUSY_SECONDS:
                self._busy()
                said = time.monotonic()
        joined = [b"".join(parts) for parts in outputs]
        answer = {"status": "ok", "sizes": [len(data) for data in joined]}
        return answer, b"".join(joined)

    def reset(self, request: dict[str, Any], payload: bytes) -> Answer:
        """Resets the interpreter's state, as TFLM's own Reset() does."""
        if self._interpreter.reset():
            return {"status": "error", "message": "Reset() failed."}, b""
        return {"status": "ok"}, b""

    def reset_counts(self, request: dict[str, Any], payload: bytes) -> Answer:
        """Sets every op's count of syntheses to 0."""
        self._ops.HypertinypwResetCounts()
        return {"status": "ok"}, b""

    def arena(self, request: dict[str, Any], payload: bytes) -> Answer:
        """Asks the recording allocator for the bytes in use."""
        offset = self._printed()
        self._interpreter.print_allocations()
        printed = self._printed_since(offset)
        match = _ARENA_TOTAL.search(printed)
        if match is None:
            message = f"No arena size in what the wheel printed:\n{printed}"
            return {"status": "error", "message": message}, b""
        return {"status": "ok", "num_bytes": int(match[1])}, b""

    def ops(self, request: dict[str, Any], payload: bytes) -> Answer:
        """Returns count and kernel of every GeneratePW op, in their order."""
        counts, sizes, kernels = [], [], []
        op = _GeneratedOp()
        for index in range(self._ops.HypertinypwNumOps()):
            self._ops.HypertinypwGetOp(index, ctypes.byref(op))
            size = op.num_weights if op.weights else 0
            counts.append(op.generate_count)
            sizes.append(size)
            kernels.append(ctypes.string_at(op.weights, size) if size else b"")
        answer = {"status": "ok", "counts": counts, "sizes": sizes}
        return answer, b"".join(kernels)


def _serve(requests: int, answers: int) -> None:
    worker: Worker | None = None
    while True:
        try:
            sizes = _FRAME.unpack(_read_exactly(requests, _FRAME.size))
            request = json.loads(_read_exactly(requests, sizes[0]))
            payload = _read_exactly(requests, sizes[1])
        except EOFError:
            return
        try:
            if worker is None:
                worker = Worker(
                    request["library"],
                    lambda: _write(answers, {"status": "busy"}),
                )
            answer = getattr(worker, request["command"])(request, payload)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            message = f"{type(error).__name__}: {error}"
            answer = {"status": "error", "message": message}, b""
        _write(answers, *answer)


def main() -> None:
    """Keeps the pipes for messages; whatever is printed goes to stderr."""
    requests, answers = os.dup(0), os.dup(1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    # Not the package's own modules: some have names that others may want.
    here = os.path.realpath(os.path.dirname(__file__))
    sys.path[:] = [p for p in sys.path if os.path.realpath(p) != here]
    _serve(requests, answers)


if __name__ == "__main__":
    main()
