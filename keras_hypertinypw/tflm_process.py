"""Starts `tflm_worker.py` and talks to it, so that it cannot hang or hurt."""

from __future__ import annotations

import json
import os
import pathlib
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from keras_hypertinypw import native
from keras_hypertinypw.errors import ConversionError

WORKER = pathlib.Path(__file__).with_name("tflm_worker.py")

_FRAME = struct.Struct("<IQ")  # As in tflm_worker.py.

# The child says "busy" every second while it works on a batch, so only one
# invocation, or the allocation of the tensors, may take this long.
SILENCE_SECONDS = 300.0

_SHOWN_OUTPUT = 4000  # Characters of the child's output in an error.

# The arena is not initialized, so that a generous one costs nothing.
_ARENA_SIZES = (1 << 24, 1 << 27, 1 << 30)
_ARENA_TOO_SMALL = re.compile(
    r"Failed to (resize buffer|allocate \w+ memory)|"
    r"Arena size is too small"
)


class ArenaTooSmallError(ConversionError):
    """The tensors do not fit the arena."""


def start(
    model_content: bytes,
    arena_size: int | None,
    generator: bytes | None = None,
) -> TflmProcess:
    """Starts a child with an arena that is large enough.

    Args:
        model_content: Bytes of a `.tflite` file.
        arena_size: Bytes of the tensor arena; None for as many as it takes.
        generator: The shared blob that the model refers to, if it does.

    Raises:
        ConversionError: If TFLM refuses the model, or dies of it.
    """
    if arena_size is not None:
        return TflmProcess(model_content, arena_size, generator)
    for size in _ARENA_SIZES[:-1]:
        try:
            return TflmProcess(model_content, size, generator)
        except ArenaTooSmallError:
            continue
    return TflmProcess(model_content, _ARENA_SIZES[-1], generator)


def smallest_arena(
    model_content: bytes, too_small: int, generator: bytes | None = None
) -> int:
    """Finds the smallest arena that a model loads in, in bytes.

    Args:
        model_content: Bytes of a `.tflite` file.
        too_small: A size that it does not load in.
        generator: The shared blob that the model refers to, if it does.

    Raises:
        ConversionError: If no arena is large enough.
    """
    process = start(model_content, None, generator)
    try:
        request = {
            "command": "smallest_arena",
            "low": too_small,
            "high": process.arena_size,
        }
        answer, _ = process.request(request, model_content)
    finally:
        process.close()
    return answer["num_bytes"]


class TflmProcess:
    """A child process with one model in the official TFLM interpreter.

    Args:
        model_content: Bytes of a `.tflite` file.
        arena_size: Bytes of the tensor arena.
        generator: The shared blob that the model refers to, if it does.

    Attributes:
        arena_size: Bytes of the tensor arena.

    Raises:
        ArenaTooSmallError: If the tensors do not fit the arena.
        ConversionError: If TFLM refuses the model, or dies of it.
    """

    def __init__(
        self,
        model_content: bytes,
        arena_size: int,
        generator: bytes | None = None,
    ) -> None:
        library = str(native.compiled_library())
        self.arena_size = arena_size
        self._output: IO[bytes] = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            bufsize=0,
            # Ctrl-C interrupts the parent, which then ends the child.
            start_new_session=True,
        )
        self._close = weakref.finalize(self, _end, self._process, self._output)
        share = {"command": "share", "library": library}
        load = {"command": "load", "library": library, "arena_size": arena_size}
        try:
            if generator is not None:
                self.request(share, generator)
            self.request(load, model_content)
        except ConversionError:
            self.close()
            raise

    def close(self) -> None:
        """Ends the child; may be called twice."""
        self._close()

    def request(
        self, header: dict[str, Any], payload: bytes = b""
    ) -> tuple[dict[str, Any], bytes]:
        """Sends one request and returns its answer.

        Raises:
            ConversionError: If the child reports an error, or dies.
            RuntimeError: If it was closed before.
            TimeoutError: If it says nothing for `SILENCE_SECONDS`.
        """
        if not self._close.alive:
            raise RuntimeError(
                "Expected an open interpreter. Received: one that is closed. "
                "Create a new `Interpreter`."
            )
        text = json.dumps(header).encode()
        frame = _FRAME.pack(len(text), len(payload)) + text + payload
        try:
            _send(self._process, frame)
            answer, data = self._receive()
            while answer["status"] == "busy":
                answer, data = self._receive()
        except (EOFError, BrokenPipeError):
            raise self._death(header["command"]) from None
        except BaseException:
            # The rest of an answer must not be read as the next one.
            self.close()
            raise
        if answer["status"] == "error":
            raise _error_of(answer.get("details", ""))(
                f"Expected a model that TFLM runs. Received: "
                f"{answer['message'].strip().rstrip('.')}. Convert the model "
                "again; if that does not help, report it with the model."
            )
        return answer, data

    def predict(
        self, inputs: Sequence[np.ndarray], num_samples: int, num_outputs: int
    ) -> list[bytes]:
        """Runs samples one by one, all in one message.

        Args:
            inputs: Samples for every input, `(num_samples, ...)`.
            num_samples: How often to run, also where there is no input.
            num_outputs: How many outputs the model has.

        Returns:
            The bytes of every output, samples one after the other.

        Raises:
            ConversionError: As `request`, for the others too.
        """
        request = {
            "command": "predict",
            "inputs": [(x.dtype.str, x.shape) for x in inputs],
            "num_samples": num_samples,
            "num_outputs": num_outputs,
        }
        payload = b"".join(x.tobytes() for x in inputs)
        answer, data = self.request(request, payload)
        outputs = []
        for size in answer["sizes"]:
            outputs.append(data[:size])
            data = data[size:]
        return outputs

    def _receive(self) -> tuple[dict[str, Any], bytes]:
        text_size, size = _FRAME.unpack(_receive(self._process, _FRAME.size))
        answer = json.loads(_receive(self._process, text_size))
        return answer, _receive(self._process, size)

    def _death(self, command: str) -> ConversionError:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        printed = _tail(self._output)
        self.close()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return _error_of(printed)(
            f"Expected a model that TFLM runs. Received: its process died "
            f"({how}) at '{command}' and printed: {printed or 'nothing'}. "
            "Create a new `Interpreter`; if it dies again, report it with the "
            "model."
        )


def _error_of(printed: str) -> type[ConversionError]:
    # TFLM crashes in the smallest arenas, after it said why.
    if _ARENA_TOO_SMALL.search(printed):
        return ArenaTooSmallError
    return ConversionError


def _end(process: subprocess.Popen, output: IO[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    if process.stdout is not None:
        process.stdout.close()
    process.kill()
    process.wait()
    output.close()


def _tail(output: IO[bytes]) -> str:
    size = os.fstat(output.fileno()).st_size
    start = max(0, size - _SHOWN_OUTPUT)
    printed = os.pread(output.fileno(), size - start, start)
    return " ".join(printed.decode("utf-8", "replace").split())


def _wait(stream: int, write: bool, deadline: float) -> None:
    left = max(0.0, deadline - time.monotonic())
    poll = select.poll()
    poll.register(stream, select.POLLOUT if write else select.POLLIN)
    if not poll.poll(left * 1000):
        raise TimeoutError(
            "Expected an answer of the TFLM interpreter. Received: nothing "
            f"for {SILENCE_SECONDS:g} s. Create a new `Interpreter`; if it "
            "hangs again, the model is too large for this machine."
        )


def _send(process: subprocess.Popen, frame: bytes) -> None:
    if process.stdin is None:
        raise EOFError
    stream = process.stdin.fileno()
    os.set_blocking(stream, False)
    data = memoryview(frame)
    while data:
        _wait(stream, True, time.monotonic() + SILENCE_SECONDS)
        data = data[os.write(stream, data[: 1 << 20]) :]


def _receive(process: subprocess.Popen, size: int) -> bytes:
    if process.stdout is None:
        raise EOFError
    stream = process.stdout.fileno()
    parts = []
    while size:
        _wait(stream, False, time.monotonic() + SILENCE_SECONDS)
        part = os.read(stream, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
