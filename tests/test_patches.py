"""Updates of a deployed file: small, exact, and refused where they are not."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_hypertinypw.patches import apply_patch, make_patch


@st.composite
def files(draw):
    old = draw(st.binary(max_size=200))
    new = bytearray(old)
    for place in draw(st.lists(st.integers(0, 199), max_size=20)):
        if place < len(new):
            new[place] ^= draw(st.integers(1, 255))
    return old, bytes(new)


@given(files())
def test_a_patch_makes_the_new_file(pair):
    old, new = pair
    assert apply_patch(old, make_patch(old, new)) == new


def test_near_changes_share_a_run_and_far_ones_do_not():
    old = bytes(100)
    near, far = bytearray(old), bytearray(old)
    near[10] = near[18] = 1
    far[10] = far[19] = 1
    assert len(make_patch(old, bytes(near))) == 16 + 8 + 9
    assert len(make_patch(old, bytes(far))) == 16 + 2 * (8 + 1)


def test_equal_files_need_the_header_alone():
    assert len(make_patch(b"same", b"same")) == 16


def test_the_format_is_that_of_the_table():
    patch = make_patch(b"abcd", b"abXd")
    magic, _, _, count, offset, length = struct.unpack_from("<4sIIIII", patch)
    assert (magic, count, offset, length) == (b"HTPP", 1, 2, 1)
    assert patch[24:] == b"X"


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"3 B and 4 B.*whole new file"):
        make_patch(b"abc", b"abcd")


def test_another_file_is_refused():
    patch = make_patch(b"abcd", b"abXd")
    with pytest.raises(ValueError, match="that the patch was made for"):
        apply_patch(b"abce", patch)


def test_what_is_no_patch_is_refused():
    with pytest.raises(ValueError, match="Expected a patch"):
        apply_patch(b"abcd", b"TFL3" + bytes(20))


def test_any_damage_is_noticed():
    rng = np.random.default_rng(0)
    old, new = bytes(64), rng.bytes(64)
    patch = make_patch(old, new)
    for end in range(len(patch)):
        with pytest.raises(ValueError, match="Received"):
            apply_patch(old, patch[:end])
    for place in range(len(patch)):
        damaged = bytearray(patch)
        damaged[place] ^= 1
        with pytest.raises(ValueError, match="Received"):
            apply_patch(old, bytes(damaged))
