"""The shipped glue on every kind of good op, and on oversized ones."""

import struct

import fuzzing
import numpy as np
import random_specs

from keras_hypertinypw import integer
from keras_hypertinypw.spec import (
    CRC_OFFSET,
    FORMAT_VERSION,
    HEADER_SIZE,
    KIND_MLP,
    MAX_BLOCK_SIZE,
    MAX_CODE_DIM,
    MAX_HIDDEN_UNITS,
    MAX_LAYERS,
    OPTIONS_SIZE,
    blob_crc,
    padded,
)

NUM_SPECS = 2000


def fix_crc(blob: bytes) -> bytes:
    start, end = blob[:CRC_OFFSET], blob[HEADER_SIZE:]
    return start + blob_crc(start, end).to_bytes(4, "little") + end


def oversized(
    code_dim: int, hidden: tuple[int, ...], block_size: int
) -> fuzzing.Parts:
    """A blob that is right but for sizes that its reader has no room for."""
    header = (FORMAT_VERSION, KIND_MLP, len(hidden) + 1, code_dim, block_size)
    body, num_in = b"", code_dim
    for num_out in (*hidden, block_size):
        body += struct.pack("<HBB", num_out, 7, 0)
    for num_out in (*hidden, block_size):
        body += bytes(padded(num_out) + num_out * padded(num_in))
        num_in = num_out
    size = HEADER_SIZE + len(body)
    blob = struct.pack("<BBBBHBBII", *header, 0, 0, size, 0) + body
    options = bytes([FORMAT_VERSION, 8]).ljust(OPTIONS_SIZE, b"\0")
    return options, bytes(code_dim), fix_crc(blob), (block_size,), b""


OVERSIZED = [
    oversized(MAX_CODE_DIM + 1, (8,), 16),
    oversized(255, (), 16),
    oversized(8, (MAX_HIDDEN_UNITS + 1,), 16),
    oversized(8, (8, 1000), 16),
    oversized(8, (8,) * MAX_LAYERS, 16),
    oversized(8, (8,), MAX_BLOCK_SIZE + 1),
]
# What `oversized` makes is refused for its sizes, and for nothing else.
LARGEST = [
    oversized(MAX_CODE_DIM, (8,), 16),
    oversized(8, (MAX_HIDDEN_UNITS,), 16),
    oversized(8, (8,) * (MAX_LAYERS - 1), 16),
    oversized(8, (8,), MAX_BLOCK_SIZE),
]


def replay(program, path, corpus):
    fuzzing.write_corpus(path, corpus)
    return fuzzing.executions(program, path, seed=0, count=len(corpus))


def test_random_specs_are_exact_under_sanitizers(fuzz_program, tmp_path):
    """Gate 3, through Init, Prepare and Invoke."""
    specs = list(random_specs.random_specs(np.random.default_rng(5), NUM_SPECS))
    corpus = [fuzzing.parts(spec) for spec in specs]
    corpus[::2] = map(fuzzing.sharing, corpus[::2])
    records = replay(fuzz_program, tmp_path / "specs.bin", corpus)
    for spec, record in zip(specs, records, strict=True):
        assert record.kernel == integer.synthesize(spec).tobytes()


def test_oversized_generators_are_refused(fuzz_program, tmp_path):
    path = tmp_path / "oversized.bin"
    records = replay(fuzz_program, path, [*OVERSIZED, *LARGEST])
    outcomes = [record.outcome for record in records]
    refused = [fuzzing.REFUSED] * len(OVERSIZED)
    assert outcomes == refused + [fuzzing.INVOKED] * len(LARGEST)
