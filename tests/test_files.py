import os
import stat

import pytest

from keras_hypertinypw.files import write_atomically


def test_writes_what_is_given(tmp_path):
    path = tmp_path / "result"
    write_atomically(path, b"\x00new")
    assert path.read_bytes() == b"\x00new"


def test_creates_the_folder(tmp_path):
    path = tmp_path / "a" / "b" / "result"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_replaces_a_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old, and longer")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_others_may_read_the_file(tmp_path):
    path = tmp_path / "result"
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("failing", ["replace", "chmod"])
def test_a_failure_leaves_the_old_file_and_no_other(
    failing, tmp_path, monkeypatch
):
    path = tmp_path / "result"
    path.write_bytes(b"old")

    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_that_is_no_bytes_leaves_the_old_file(tmp_path):
    path = tmp_path / "result"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
