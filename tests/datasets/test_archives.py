import errno
import hashlib
import io
import socket
import tarfile

import pytest
import range_server

from keras_hypertinypw.datasets import archives

FILES = {"README.md": b"words", "yes/a_nohash_0.wav": bytes(range(256)) * 400}


def tar_gz(files, links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return buffer.getvalue()


CONTENT = tar_gz(FILES)


def describe(url, content=CONTENT):
    return archives.Archive(
        f"{url}words.tar.gz", hashlib.sha256(content).hexdigest(), len(content)
    )


def read(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_an_archive_becomes_a_folder(tmp_path):
    with range_server.serve(CONTENT) as server:
        archives.download_folder(describe(server.url), tmp_path / "words")
    assert read(tmp_path / "words") == FILES
    assert {path.name for path in tmp_path.iterdir()} == {
        "words",
        "words.tar.gz",
    }


def test_a_download_that_broke_off_is_continued(tmp_path):
    with range_server.serve(CONTENT, breaks_after=100) as server:
        archive = describe(server.url)
        with pytest.raises(ConnectionError, match="after 100 B.*continues"):
            archives.download_folder(archive, tmp_path / "words")
        assert {path.name for path in tmp_path.iterdir()} == {
            "words.tar.gz.part"
        }
        archives.download_folder(archive, tmp_path / "words")
    assert server.requested == [None, "bytes=100-"]
    assert read(tmp_path / "words") == FILES


def test_a_server_without_ranges_sends_it_all_again(tmp_path):
    (tmp_path / "words.tar.gz.part").write_bytes(CONTENT[:100])
    with range_server.serve(CONTENT, ranges=False) as server:
        archives.download_folder(describe(server.url), tmp_path / "words")
    assert server.requested == ["bytes=100-"]
    assert read(tmp_path / "words") == FILES


@pytest.mark.parametrize("name", ["words.tar.gz", "words.tar.gz.part"])
def test_what_is_whole_is_not_downloaded_again(tmp_path, name):
    (tmp_path / name).write_bytes(CONTENT)
    with range_server.serve(CONTENT) as server:
        archives.download_folder(describe(server.url), tmp_path / "words")
    assert not server.requested
    assert read(tmp_path / "words") == FILES


def test_a_corrupted_download_is_discarded(tmp_path):
    damaged = bytearray(CONTENT)
    damaged[len(CONTENT) // 2] ^= 1
    with range_server.serve(bytes(damaged)) as server:
        with pytest.raises(ValueError, match=r"words\.tar\.gz with SHA-256"):
            archives.download_folder(describe(server.url), tmp_path / "words")
    assert not list(tmp_path.iterdir())


def test_a_wrong_archive_that_was_there_is_kept(tmp_path):
    (tmp_path / "words.tar.gz").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"Delete '.*words\.tar\.gz'"):
        archives.download_folder(describe("http://none/"), tmp_path / "words")
    assert read(tmp_path) == {"words.tar.gz": b"mine"}


@pytest.mark.parametrize(
    ("files", "links"),
    [
        ({"a": b"a", "../evil": b"evil"}, []),
        ({"a": b"a"}, [("up", "../..")]),
        ({"a": b"a"}, [("root", "/etc")]),
    ],
)
def test_members_that_lead_outside_are_refused(tmp_path, files, links):
    content = tar_gz(files, links)
    folder = tmp_path / "data" / "words"
    with range_server.serve(content) as server:
        with pytest.raises(ValueError, match=r"words\.tar\.gz.*Received"):
            archives.download_folder(describe(server.url, content), folder)
    assert set(read(tmp_path)) == {"data/words.tar.gz"}


def test_what_is_no_archive_is_refused(tmp_path):
    with range_server.serve(b"<html>") as server:
        with pytest.raises(ValueError, match=r"as a \.tar\.gz file"):
            archives.download_folder(
                describe(server.url, b"<html>"), tmp_path / "words"
            )
    assert not (tmp_path / "words").exists()


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()]
)
def test_unpacking_that_ends_early_leaves_no_folder(
    tmp_path, monkeypatch, error
):
    def extract(tar, member, path, **options):
        path.mkdir(exist_ok=True)
        (path / "half").write_bytes(b"")
        raise error

    (tmp_path / "words.tar.gz").write_bytes(CONTENT)
    monkeypatch.setattr(tarfile.TarFile, "extract", extract)
    with pytest.raises(type(error)) as caught:
        archives.download_folder(describe("http://none/"), tmp_path / "words")
    assert [path.name for path in tmp_path.iterdir()] == ["words.tar.gz"]
    if isinstance(error, OSError):
        assert "Expected to unpack" in str(caught.value)
        assert "No space left. Free some space" in str(caught.value)


def test_a_folder_with_other_files_is_refused_before_the_download(tmp_path):
    (tmp_path / "mine").write_bytes(b"")
    with range_server.serve(CONTENT) as server:
        with pytest.raises(ValueError, match="absent or empty"):
            archives.download_folder(describe(server.url), tmp_path)
    assert not server.requested


def test_without_network_the_error_says_what_to_do(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # Bound but not listening.
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        with pytest.raises(ConnectionError) as caught:
            archives.download_folder(describe(url), tmp_path / "words")
    for part in (url, str(tmp_path / "words.tar.gz"), "by hand", "after 0 B"):
        assert part in str(caught.value)
