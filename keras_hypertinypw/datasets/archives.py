"""Downloads an archive, continuing where it broke off, and unpacks it."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import os
import pathlib
import shutil
import tarfile
import urllib.error
import urllib.request

import tqdm

from keras_hypertinypw.datasets import download as downloads

_PARTIAL_CONTENT = 206


@dataclasses.dataclass(frozen=True)
class Archive:
    """A `.tar.gz` file that never changes.

    Attributes:
        url: Its address.
        sha256: Its checksum, in hex digits.
        num_bytes: Its size.
    """

    url: str
    sha256: str
    num_bytes: int

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.url.rpartition("/")[2]


def download_folder(archive: Archive, data_dir: str | os.PathLike[str]) -> None:
    """Makes a folder of what an archive holds; it is whole or absent.

    The archive is kept beside the folder, and may be deleted then. One that is
    there already is not downloaded; what an interrupted download left is
    continued.

    Args:
        archive: What to download.
        data_dir: Folder to make, absent or empty.

    Raises:
        ConnectionError: If the server cannot be reached, lacks the file, or
            the connection breaks off.
        OSError: If the disk is full or cannot be written.
        ValueError: If the folder holds files, or the archive does not match
            its checksum or is unsafe to unpack.
    """
    folder = pathlib.Path(data_dir).resolve()
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(
            f"Expected to download into a folder that is absent or empty. "
            f"Received: '{folder}', which holds other files. Delete it, or "
            "choose another one."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(archive.name)
    if path.is_file():
        _check(archive, path, f"Delete '{path}'")
    else:
        partial = path.with_name(path.name + ".part")
        _download(archive, partial, path)
        try:
            _check(archive, partial, "The download is damaged and discarded")
        except ValueError:
            partial.unlink()
            raise
        partial.replace(path)
    _unpack(path, folder)


def _download(
    archive: Archive, partial: pathlib.Path, path: pathlib.Path
) -> None:
    """Downloads what the partial file lacks, if anything."""

    def explained(error: object) -> ConnectionError:
        done = partial.stat().st_size if partial.is_file() else 0
        return ConnectionError(
            f"Expected to download {archive.url}, {archive.num_bytes:,} B. "
            f"Received: {error}, after {done:,} B. Give the same command "
            "again, and it continues there. Without a network, copy the "
            f"archive to '{path}' by hand."
        )

    done = partial.stat().st_size if partial.is_file() else 0
    if done == archive.num_bytes:
        return
    request = urllib.request.Request(archive.url)
    if 0 < done < archive.num_bytes:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = urllib.request.urlopen(request, timeout=downloads.TIMEOUT)
    except (OSError, http.client.HTTPException) as error:
        raise explained(error) from error
    with response:
        if response.status != _PARTIAL_CONTENT:
            done = 0  # Of a server that sends all or nothing.
        with partial.open("ab" if done else "wb") as file:
            downloads.copy(
                response, file, explained, name=archive.name, done=done
            )
    # A body that is shorter than promised ends like a whole one.
    if partial.stat().st_size < archive.num_bytes:
        raise explained("the end of the connection")


def _check(archive: Archive, path: pathlib.Path, way_out: str) -> None:
    received = downloads.sha256(path)
    if received != archive.sha256:
        raise ValueError(
            f"Expected {archive.url} with SHA-256 {archive.sha256}. Received: "
            f"{received}. {way_out}; then load with {downloads.DOWNLOAD} again."
        )


def _unpack(path: pathlib.Path, folder: pathlib.Path) -> None:
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            tar = stack.enter_context(tarfile.open(fileobj=file, mode="r:gz"))
            progress = stack.enter_context(
                tqdm.tqdm(
                    desc=f"Unpacking {path.name}",
                    total=path.stat().st_size,
                    unit="B",
                    unit_scale=True,
                    leave=False,
                    disable=None,
                )
            )
            for member in tar:
                # Refuses what would land outside, links there, and devices.
                tar.extract(member, temporary, filter="data")
                progress.update(file.tell() - progress.n)
        os.replace(temporary, folder)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(
            f"Expected '{path}' as a .tar.gz file of files and folders. "
            f"Received: {error}. Delete it, and load with {downloads.DOWNLOAD}."
        ) from error
    except OSError as error:
        raise OSError(
            f"Expected to unpack '{path}' into '{folder}'. Received: "
            f"{error.strerror or error}. Free some space there, or choose "
            "another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
