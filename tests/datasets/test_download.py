import functools
import hashlib
import http.server
import socket
import threading

import pytest

from keras_hypertinypw.datasets import download

FILES = {"100.dat": b"\x01" * 200_000, "100.hea": b"100 2 360", "sub/a": b"a"}


@pytest.fixture
def publisher(tmp_path):
    """A folder with files and checksums, as PhysioNet publishes them."""
    folder = tmp_path / "publisher"
    lines = []
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()} {name}\n")
    (folder / download.SUMS_NAME).write_text("".join(lines))
    return folder


@pytest.fixture
def server(publisher):
    """Serves `publisher`; `.requested` lists the paths asked for."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.server.requested.append(self.path)
            super().do_GET()

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=publisher)
    ) as running:
        running.requested = []
        running.url = f"http://127.0.0.1:{running.server_port}/"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_downloads_every_listed_file(server, tmp_path):
    paths = download.download_database(server.url, tmp_path / "copy")
    assert {
        path.relative_to(tmp_path / "copy").as_posix(): path.read_bytes()
        for path in paths
    } == FILES
    assert not list((tmp_path / "copy").rglob("*.part"))


def test_downloads_only_the_wanted_files(server, tmp_path):
    download.download_database(server.url, tmp_path, file_names=["100.hea"])
    assert "/100.hea" in server.requested
    assert "/100.dat" not in server.requested


def test_files_whose_checksum_holds_are_kept(server, tmp_path):
    copy = tmp_path / "copy"
    download.download_database(server.url, copy)
    (copy / "100.hea").write_bytes(b"damaged")
    server.requested.clear()
    download.download_database(server.url, copy)
    assert server.requested == [f"/{download.SUMS_NAME}", "/100.hea"]
    assert (copy / "100.hea").read_bytes() == FILES["100.hea"]


def test_a_corrupted_file_is_refused_and_discarded(server, publisher, tmp_path):
    (publisher / "100.dat").write_bytes(b"\x02" * 200_000)
    with pytest.raises(ValueError, match=r"100\.dat with SHA-256 .*Received"):
        download.download_database(
            server.url, tmp_path / "copy", file_names=["100.dat"]
        )
    assert not list((tmp_path / "copy").iterdir())


def test_a_file_that_the_server_lacks_is_named(server, publisher, tmp_path):
    (publisher / "100.dat").unlink()
    with pytest.raises(ConnectionError, match=r"100\.dat.*404"):
        download.download_database(server.url, tmp_path / "copy")


def test_without_network_the_error_says_what_to_do(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # Bound but not listening.
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        with pytest.raises(ConnectionError) as caught:
            download.download_database(url, tmp_path / "mitdb")
    for part in (url, str(tmp_path / "mitdb"), "by hand", "HYPERTINYPW_DATA"):
        assert part in str(caught.value)


def test_a_connection_that_breaks_off_leaves_no_file(tmp_path):
    content = FILES["100.hea"]
    sums = f"{hashlib.sha256(content).hexdigest()} 100.hea\n".encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            is_sums = self.path.endswith(download.SUMS_NAME)
            body = sums if is_sums else content
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if is_sums else body[:-3])

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        with pytest.raises((ValueError, ConnectionError), match="100.hea"):
            download.download_database(
                f"http://127.0.0.1:{running.server_port}", tmp_path / "copy"
            )
        running.shutdown()
        thread.join()
    assert not list((tmp_path / "copy").iterdir())


def test_a_wanted_file_without_checksum_is_refused(server, tmp_path):
    with pytest.raises(ValueError, match="none for 999.dat"):
        download.download_database(
            server.url, tmp_path, file_names=["100.hea", "999.dat"]
        )


@pytest.mark.parametrize(
    "line",
    ["<html>", "0" * 64, f"{'0' * 64}  ../up", f"{'0' * 64}  /etc/passwd"],
)
def test_malformed_checksum_lines_are_refused(line):
    with pytest.raises(ValueError, match="Expected lines"):
        download.parse_sums(line.encode())


def test_checksum_lines_may_use_either_separator():
    digest = "0123456789abcdef" * 4
    text = f"{digest} a\n{digest.upper()}  b c\n\n{digest} *d\n"
    assert download.parse_sums(text.encode()) == dict.fromkeys(
        ["a", "b c", "d"], digest
    )


def test_data_dir_wins_over_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HYPERTINYPW_DATA", str(tmp_path))
    assert download.data_folder("mitdb", None) == tmp_path / "mitdb"
    assert download.data_folder("mitdb", tmp_path / "x") == tmp_path / "x"


def test_without_any_folder_the_error_names_both_ways(monkeypatch):
    monkeypatch.delenv("HYPERTINYPW_DATA", raising=False)
    with pytest.raises(ValueError, match="Pass `data_dir` .*, or set HYPER"):
        download.data_folder("mitdb", None)
