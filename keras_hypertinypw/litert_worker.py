"""The child process of `litert_process.py`: runs one model in LiteRT.

Damaged files crash LiteRT, so it gets a process of its own. Run as a script,
by path: stdin holds arrays `model`, `num_samples` and `input_0` and so on as
`np.savez` writes them, stdout receives `output_0` and so on, or a `message`.
"""

from __future__ import annotations

import io
import os
import sys

import numpy as np


def run(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Runs all samples through all inputs with reference kernels."""
    from ai_edge_litert import interpreter as litert

    try:
        interpreter = litert.Interpreter(
            model_content=arrays["model"].tobytes(),
            experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        )
        interpreter.allocate_tensors()
        inputs = [d["index"] for d in interpreter.get_input_details()]
        outputs = [d["index"] for d in interpreter.get_output_details()]
        results: list[list[bytes]] = [[] for _ in outputs]
        for sample in range(int(arrays["num_samples"])):
            for port, tensor in enumerate(inputs):
                values = arrays[f"input_{port}"][sample]
                interpreter.set_tensor(tensor, values)
            interpreter.invoke()
            for parts, tensor in zip(results, outputs, strict=True):
                parts.append(interpreter.get_tensor(tensor).tobytes())
    except (RuntimeError, TypeError, ValueError) as error:
        return {"message": np.array(str(error).splitlines()[0])}
    return {
        f"output_{port}": np.frombuffer(b"".join(parts), np.uint8)
        for port, parts in enumerate(results)
    }


def main() -> None:
    """Keeps stdout for the answer; whatever is printed goes to stderr."""
    answers = os.dup(1)
    os.dup2(2, 1)
    # Not the package's own modules: some have names that others may want.
    here = os.path.realpath(os.path.dirname(__file__))
    sys.path[:] = [p for p in sys.path if os.path.realpath(p) != here]
    with np.load(io.BytesIO(sys.stdin.buffer.read())) as arrays:
        results = run(dict(arrays))
    answer = io.BytesIO()
    np.savez(answer, **results)
    with open(answers, "wb") as stream:
        stream.write(answer.getbuffer())


if __name__ == "__main__":
    main()
