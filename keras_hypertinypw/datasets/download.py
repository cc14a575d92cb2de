"""Downloads a PhysioNet database, verified by the publisher's checksums."""

from __future__ import annotations

import hashlib
import http.client
import os
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from typing import BinaryIO

import tqdm

DATA_VARIABLE = "HYPERTINYPW_DATA"
SUMS_NAME = "SHA256SUMS.txt"
# For messages: in Python, and on the command line.
DOWNLOAD = "`download=True` (`--download`)"

_CHUNK_BYTES = 1 << 16
TIMEOUT = 30.0  # Seconds without an answer.
# The name is relative: no leading slash, no backslash.
_SUMS_LINE = re.compile(
    r"(?P<digest>[0-9a-fA-F]{64}) [ *]?(?P<name>[^/\\ ][^\\]*)"
)


def data_folder(
    name: str, data_dir: str | os.PathLike[str] | None
) -> pathlib.Path:
    """Finds the folder of a data set, which need not exist yet.

    Args:
        name: Name of the data set, for example `"mitdb"`.
        data_dir: The data set's own folder. Without it the environment
            variable `HYPERTINYPW_DATA` names the parent of all data sets.

    Raises:
        ValueError: If neither is given.
    """
    if data_dir is not None:
        return pathlib.Path(data_dir)
    parent = os.environ.get(DATA_VARIABLE)
    if not parent:
        raise ValueError(
            f"Expected a folder for the data set '{name}'. Received: "
            f"data_dir=None, and {DATA_VARIABLE} is not set. Pass `data_dir` "
            f"(`--data_dir`), or set {DATA_VARIABLE} to the folder that holds "
            f"'{name}'."
        )
    return pathlib.Path(parent) / name


def download_database(
    base_url: str,
    data_dir: str | os.PathLike[str],
    *,
    file_names: Iterable[str] | None = None,
) -> list[pathlib.Path]:
    """Downloads the files of a database that are not there yet.

    A file gets its name only after its checksum holds, and a file whose
    checksum holds is not downloaded again: an interrupted download is
    continued by calling again.

    Args:
        base_url: Folder that holds `SHA256SUMS.txt` and the files.
        data_dir: Folder to write to; it is made if missing.
        file_names: Files wanted, relative to `base_url`; all by default.

    Returns:
        Paths of the files.

    Raises:
        ConnectionError: If the server cannot be reached or lacks a file.
        ValueError: If a download does not match its checksum, or a wanted
            file has none.
    """
    folder = pathlib.Path(data_dir)
    base_url = base_url.rstrip("/") + "/"
    with _open(base_url + SUMS_NAME, folder) as response:
        sums = parse_sums(_read_all(response, base_url + SUMS_NAME, folder))
    names = sorted(sums) if file_names is None else list(file_names)
    unknown = [name for name in names if name not in sums]
    if unknown:
        raise ValueError(
            f"Expected a checksum for every file in {base_url}{SUMS_NAME}. "
            f"Received: none for {', '.join(unknown)}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in names]
    for name, path in tqdm.tqdm(
        list(zip(names, paths, strict=True)),
        desc=f"Downloading {folder.name}",
        unit="file",
        disable=None,
    ):
        if not (path.is_file() and sha256(path) == sums[name]):
            url = base_url + urllib.parse.quote(name)
            _download_file(url, path, sums[name], folder)
    return paths


def require_files(
    folder: pathlib.Path,
    names: Iterable[str],
    *,
    url: str,
    title: str,
    download: bool = False,
) -> None:
    """Makes sure that files are there; downloads what is missing, if asked.

    Args:
        folder: Folder that should hold them.
        names: Files, relative to `folder` and to `url`.
        url: Folder of the database, as for `download_database`.
        title: What the files are, for the message.
        download: Whether to download what is missing.

    Raises:
        ConnectionError: If a download fails.
        FileNotFoundError: If files are missing and `download` is false.
        ValueError: If a download does not match its checksum.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if not missing:
        return
    if download:
        download_database(url, folder, file_names=missing)
        return
    shown = ", ".join(missing[:3])
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    raise FileNotFoundError(
        f"Expected the {title} in {folder}. Missing: {shown}{more}. "
        f"Load with {DOWNLOAD}, or copy the files from {url} there, or name "
        "the folder that has them with `data_dir` (`--data_dir`)."
    )


def parse_sums(text: bytes) -> dict[str, str]:
    """Reads `SHA256SUMS.txt`: lines of a hex digest and a relative path.

    Raises:
        ValueError: If a line is malformed or a path leaves the folder.
    """
    sums = {}
    for line in text.decode("utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        match = _SUMS_LINE.fullmatch(line.strip())
        if match is None or ".." in match["name"].split("/"):
            raise ValueError(
                f"Expected lines 'sha256  file name' in {SUMS_NAME}. "
                f"Received: {line[:100]!r}. The address may be wrong, or a "
                "proxy answered in its place."
            )
        sums[match["name"]] = match["digest"].lower()
    return sums


def _download_file(
    url: str, path: pathlib.Path, digest: str, folder: pathlib.Path
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    try:
        with _open(url, folder) as response, partial.open("wb") as file:
            copy(
                response,
                file,
                lambda error: _unreachable(url, folder, error),
                name=url.rsplit("/", 1)[-1],
            )
        received = sha256(partial)
        if received != digest:
            raise ValueError(
                f"Expected {url} with SHA-256 {digest}. Received: {received}. "
                "The download is damaged and was discarded; try again, or put "
                f"the file into {path.parent} by hand."
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def copy(
    response,
    file: BinaryIO,
    explained: Callable[[Exception], Exception],
    *,
    name: str,
    done: int = 0,
) -> None:
    """Copies the body of a response to a file, with a progress bar.

    Args:
        response: Of `urllib.request.urlopen`.
        file: Open for writing.
        explained: Returns the error to raise for one of the connection.
        name: Of what is downloaded.
        done: Bytes of it that are there already.
    """
    length = int(response.headers.get("Content-Length") or 0)
    with tqdm.tqdm(
        desc=name,
        total=done + length if length else None,
        initial=done,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=None,
    ) as progress:
        while True:
            try:
                chunk = response.read(_CHUNK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise explained(error) from error
            if not chunk:
                return
            file.write(chunk)
            progress.update(len(chunk))


def _open(url: str, folder: pathlib.Path):
    try:
        return urllib.request.urlopen(url, timeout=TIMEOUT)
    except (OSError, http.client.HTTPException) as error:  # Has URLError.
        raise _unreachable(url, folder, error) from error


def _read_all(response, url: str, folder: pathlib.Path) -> bytes:
    try:
        return response.read()
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, folder, error) from error


def _unreachable(
    url: str, folder: pathlib.Path, error: Exception
) -> ConnectionError:
    return ConnectionError(
        f"Expected to download {url}. Received: {error}. Without a network, "
        f"copy the database's files into {folder} by hand, or set "
        f"{DATA_VARIABLE} to a folder that already holds '{folder.name}'."
    )


def sha256(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file as hex digits."""
    digest = hashlib.sha256()
    with (
        path.open("rb") as file,
        tqdm.tqdm(
            desc=f"Checking {path.name}",
            total=path.stat().st_size,
            unit="B",
            unit_scale=True,
            delay=1,  # Seconds: most files are small.
            leave=False,
            disable=None,
        ) as progress,
    ):
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            progress.update(len(chunk))
    return digest.hexdigest()
