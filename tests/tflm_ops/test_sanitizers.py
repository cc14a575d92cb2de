import struct
import zlib

import numpy as np
import random_specs
from cpp_build import ARITHMETIC, STRICT, TFLM_OPS, host_compiler, run

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
    PointwiseSpec,
    padded,
)

MUST_MATCH, MUST_FAIL, EITHER = range(3)
NUM_SPECS = 2000
NUM_MUTATED = 4000
NUM_GARBAGE = 500


def record(verdict, options, codes, blob, dims, kernel=b"") -> bytes:
    arrays = (options, codes, blob, np.array(dims, "<i4").tobytes(), kernel)
    packed = [struct.pack("<I", len(data)) + data for data in arrays]
    return struct.pack("<I", verdict) + b"".join(packed)


def parts(spec: PointwiseSpec) -> list:
    return [
        spec.options_to_bytes(),
        spec.codes_to_bytes(),
        spec.generator.to_bytes(),
        spec.kernel_shape,
    ]


def good(spec: PointwiseSpec) -> bytes:
    kernel = integer.synthesize(spec).tobytes()
    return record(MUST_MATCH, *parts(spec), kernel)


def fix_crc(blob: bytes) -> bytes:
    start, end = blob[:CRC_OFFSET], blob[HEADER_SIZE:]
    crc = zlib.crc32(end, zlib.crc32(start))
    return start + crc.to_bytes(4, "little") + end


def mutate(rng: np.random.Generator, data: bytes) -> bytes:
    """Changes some bytes, mostly the first ones, or the length."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        reach = len(changed) if rng.random() < 0.2 else min(len(changed), 32)
        if reach:
            changed[rng.integers(reach)] = rng.integers(256)
    if rng.random() < 0.3:
        end = int(rng.integers(len(changed) + 1))
        return bytes(changed[:end])
    if rng.random() < 0.2:
        return bytes(changed) + bytes(int(rng.integers(1, 9)))
    return bytes(changed)


def bad(rng: np.random.Generator, spec: PointwiseSpec) -> bytes:
    options, codes, blob, dims = parts(spec)
    what = rng.integers(4)
    if what == 0:
        options = mutate(rng, options)
    elif what == 1:
        codes = mutate(rng, codes)
    elif what == 2:
        changed = mutate(rng, blob)
        if changed == blob:
            return record(EITHER, options, codes, changed, dims)
        if rng.random() < 0.2 or len(changed) < HEADER_SIZE:
            return record(MUST_FAIL, options, codes, changed, dims)
        # A right CRC and size, so that the deeper checks are reached.
        sized = changed[:8] + struct.pack("<I", len(changed)) + changed[12:]
        blob = fix_crc(sized)
    else:
        dims = rng.integers(-2, 1 << int(rng.integers(1, 31)), rng.integers(7))
    return record(EITHER, options, codes, blob, dims)


def garbage(rng: np.random.Generator) -> bytes:
    arrays = [rng.bytes(int(rng.integers(0, 80))) for _ in range(3)]
    dims = rng.integers(-(1 << 31), 1 << 31, rng.integers(7))
    return record(MUST_FAIL, *arrays, dims)


def oversized(code_dim: int, hidden: tuple[int, ...], block_size: int) -> bytes:
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
    return record(
        MUST_FAIL, options, bytes(code_dim), fix_crc(blob), (block_size,)
    )


OVERSIZED = [
    oversized(MAX_CODE_DIM + 1, (8,), 16),
    oversized(255, (), 16),
    oversized(8, (MAX_HIDDEN_UNITS + 1,), 16),
    oversized(8, (8, 1000), 16),
    oversized(8, (8,) * MAX_LAYERS, 16),
    oversized(8, (8,), MAX_BLOCK_SIZE + 1),
]


def test_replay_is_clean_under_sanitizers(tmp_path):
    rng = np.random.default_rng(5)
    specs = list(random_specs.random_specs(rng, NUM_SPECS))
    records = [good(spec) for spec in specs]
    small = [spec for spec in specs if spec.num_weights < 2000]
    for index in range(NUM_MUTATED):
        records.append(bad(rng, small[index % len(small)]))
    records += OVERSIZED
    records += [garbage(rng) for _ in range(NUM_GARBAGE)]
    data = tmp_path / "records.bin"
    data.write_bytes(b"".join(records))

    program = tmp_path / "replay"
    flags = [flag for flag in STRICT if flag != "-fno-rtti"]  # UBSan's vptr.
    run(
        [
            host_compiler(),
            *flags,
            "-O1",
            "-g",
            "-fsanitize=undefined,address",
            "-fno-sanitize-recover=all",
            f"-I{TFLM_OPS}",
            TFLM_OPS.parent / "tests" / "tflm_ops" / "replay.cc",
            *(TFLM_OPS / name for name in ARITHMETIC),
            "-o",
            program,
        ]
    )
    assert run([program, data]) == f"{len(records)} records, 0 wrong\n"
