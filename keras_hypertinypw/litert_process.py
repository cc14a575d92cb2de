"""Runs a model in desktop LiteRT, in a child that may crash of it."""

from __future__ import annotations

import io
import pathlib
import subprocess
import sys

import numpy as np

from keras_hypertinypw.errors import ConversionError

WORKER = pathlib.Path(__file__).with_name("litert_worker.py")
SECONDS = 600.0


def run(
    model_content: bytes, inputs: list[np.ndarray], num_samples: int
) -> list[bytes]:
    """Runs samples with LiteRT's reference kernels.

    Args:
        model_content: Bytes of a `.tflite` of builtin operators.
        inputs: Samples for every input, `(num_samples, ...)`.
        num_samples: How often to run, also where there is no input.

    Returns:
        The bytes of every output, samples one after the other.

    Raises:
        ConversionError: If LiteRT refuses the model, or dies or hangs of it.
    """
    arrays = {f"input_{port}": x for port, x in enumerate(inputs)}
    request = io.BytesIO()
    np.savez(
        request,
        model=np.frombuffer(model_content, np.uint8),
        num_samples=np.array(num_samples),
        **arrays,
    )
    try:
        child = subprocess.run(
            [sys.executable, str(WORKER)],
            input=request.getbuffer(),
            capture_output=True,
            timeout=SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise _refused(f"no answer for {SECONDS:g} s") from None
    if child.returncode:
        lines = child.stderr.decode("utf-8", "replace").splitlines()
        printed = lines[-1] if lines else "nothing"
        raise _refused(
            f"its process died ({child.returncode}) and printed: {printed}"
        )
    with np.load(io.BytesIO(child.stdout)) as answer:
        if "message" in answer:
            raise _refused(str(answer["message"]))
        return [answer[name].tobytes() for name in answer]


def _refused(reason: str) -> ConversionError:
    return ConversionError(
        f"Expected a model that LiteRT runs. Received: {reason.rstrip('.')}."
    )
