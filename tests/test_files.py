import errno
import os

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


def test_the_file_has_the_rights_of_any_other(tmp_path):
    path, other = tmp_path / "result", tmp_path / "other"
    write_atomically(path, b"new")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize("failing", ["replace", "fsync"])
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


@pytest.mark.parametrize(
    ("code", "way_out"),
    [(errno.ENOSPC, "Free some space"), (errno.EACCES, "permissions")],
)
def test_the_error_names_the_file_and_the_way_out(
    code, way_out, tmp_path, monkeypatch
):
    def fail(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    path = tmp_path / "result"
    with pytest.raises(OSError) as error:
        write_atomically(path, b"new")
    assert f"'{path}', 3 B" in str(error.value)
    assert os.strerror(code) in str(error.value)
    assert way_out in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_link_is_followed(tmp_path):
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
