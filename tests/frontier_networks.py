"""The frontier's networks of equal bytes in `examples/`."""

from cpp_build import REPOSITORY

EQUAL_BYTES = [
    REPOSITORY / f"examples/equal_bytes/{name}.tflite"
    for name in (
        *("arabic_40_8kb", "arabic_40_16kb", "arabic_40_32kb"),
        *("speech_v1_8kb", "speech_v1_32kb"),
    )
]
