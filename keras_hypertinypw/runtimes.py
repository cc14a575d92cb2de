"""The two runtimes behind `Interpreter`: TFLM in a child, LiteRT in here."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import interpreter as litert

from keras_hypertinypw import tflm_process
from keras_hypertinypw.custom_ops import GENERATE_PW_OP
from keras_hypertinypw.errors import ConversionError


class Backend:
    """A loaded model. What a runtime does not have stays as it is here."""

    def run(self, x: np.ndarray, output_dtype: np.dtype) -> np.ndarray:
        """Runs samples of the input's own shape and type, one by one."""
        raise NotImplementedError

    def reset(self) -> None:
        """Resets the model's state."""
        raise NotImplementedError

    def arena_used_bytes(self) -> int | None:
        """Returns the bytes of the arena in use."""
        return None

    def ops(self) -> tuple[list[int], list[bytes]]:
        """Returns count and kernel of every GeneratePW op, in their order."""
        return [], []

    def reset_counts(self) -> None:
        """Sets the counts to 0."""

    def close(self) -> None:
        """Frees the model."""


class TflmBackend(Backend):
    """The official TFLM interpreter."""

    def __init__(
        self,
        model_content: bytes,
        arena_size: int | None,
        generator: bytes | None,
    ) -> None:
        try:
            self._process = tflm_process.start(
                model_content, arena_size, generator
            )
        except tflm_process.ArenaTooSmallError as error:
            if arena_size is None:
                raise
            needed = tflm_process.smallest_arena(
                model_content, arena_size, generator
            )
            raise ConversionError(
                f"Expected `arena_size` of at least {needed} bytes, the least "
                "that TFLM loads this model in on this machine. Received: "
                f"arena_size={arena_size}. Pass that, or leave it out."
            ) from error

    def run(self, x: np.ndarray, output_dtype: np.dtype) -> np.ndarray:
        """Sends all samples in one message."""
        (data,) = self._process.predict([x], len(x), 1)
        return np.frombuffer(data, output_dtype)

    def reset(self) -> None:
        """Calls TFLM's own Reset()."""
        self._process.request({"command": "reset"})

    def arena_used_bytes(self) -> int | None:
        """Asks the recording allocator."""
        answer, _ = self._process.request({"command": "arena"})
        return answer["num_bytes"]

    def ops(self) -> tuple[list[int], list[bytes]]:
        """Reads the registration's records; a kernel is empty before use."""
        answer, data = self._process.request({"command": "ops"})
        kernels = []
        for size in answer["sizes"]:
            kernels.append(data[:size])
            data = data[size:]
        return answer["counts"], kernels

    def reset_counts(self) -> None:
        """Resets the registration's records."""
        self._process.request({"command": "reset_counts"})

    def close(self) -> None:
        """Ends the child."""
        self._process.close()


class LiteRtBackend(Backend):
    """Desktop TensorFlow Lite with reference kernels, which equal TFLM's.

    setup.cfg pins the last release in which FULLY_CONNECTED rounds as TFLM
    does.
    """

    def __init__(self, model_content: bytes) -> None:
        resolver = litert.OpResolverType.BUILTIN_REF
        try:
            self._interpreter = litert.Interpreter(
                model_content=model_content,
                experimental_op_resolver_type=resolver,
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ConversionError(
                "Expected a model that LiteRT runs. Received: "
                f"{str(error).splitlines()[0].rstrip('.')}. If it holds "
                f"{GENERATE_PW_OP} or was slimmed, pass it through "
                "`materialize` first."
            ) from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def run(self, x: np.ndarray, output_dtype: np.dtype) -> np.ndarray:
        """Sets, invokes, gets."""
        outputs = []
        for sample in x:
            self._interpreter.set_tensor(self._input, sample)
            self._interpreter.invoke()
            outputs.append(self._interpreter.get_tensor(self._output))
        return np.array(outputs, output_dtype)

    def reset(self) -> None:
        """Resets the variables; there is no other state."""
        self._interpreter.reset_all_variables()
