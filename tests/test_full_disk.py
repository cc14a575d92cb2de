"""`train` and `convert` on a disk that is full, for real."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import warnings

import commands
import pytest
from commands import STEPS, TRAIN, Command, finished_epochs

DISK_BYTES = 1 << 20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Disk:
    """A folder that holds a limited number of bytes."""

    def __init__(self, folder: pathlib.Path, is_small: bool) -> None:
        self.folder = folder
        self.is_small = is_small

    def command(self, *arguments, free: int, largest_file: int) -> Command:
        """Starts a command with `free` bytes left on the disk.

        Where no disk can be mounted, the kernel limits each file instead.
        """
        if not self.is_small:
            return Command(*arguments, largest_file=largest_file)
        filler = self.folder / "filler"
        filler.unlink(missing_ok=True)
        state = os.statvfs(self.folder)
        with filler.open("wb") as file:
            size = state.f_bavail * state.f_bsize - free
            os.posix_fallocate(file.fileno(), 0, size)
        return Command(*arguments)

    def empty(self) -> None:
        """Makes room."""
        (self.folder / "filler").unlink(missing_ok=True)


@contextlib.contextmanager
def mounted(folder: pathlib.Path):
    """Mounts a disk in a namespace of its own, if the system permits it."""
    flags = "-m" if os.geteuid() == 0 else "-rm"
    unshare = shutil.which("unshare") or "false"
    script = (
        f"mount -t tmpfs -o size={DISK_BYTES} disk '{folder}' && "
        "echo mounted && read -r _"
    )
    with subprocess.Popen(
        [unshare, flags, "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as holder:
        is_small = holder.stdout.readline() == b"mounted\n"
        if is_small:
            # The namespace as seen from here.
            folder = pathlib.Path(f"/proc/{holder.pid}/root{folder}")
        yield Disk(folder, is_small)
        holder.stdin.close()


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    with mounted(tmp_path_factory.mktemp("disk")) as disk:
        if not disk.is_small:
            warnings.warn(
                "No disk may be mounted here: files are limited instead, which "
                "meets fewer places. Run the tests as root, or in CI.",
                stacklevel=1,
            )
        yield disk


def require_full(command: Command, disk: Disk, name: str) -> None:
    assert command.finish() == 2
    message = command.message(disk.folder)
    assert message.startswith(f"hypertinypw {name}: Expected to write '<fol")
    assert "No space left" in message or "File too large" in message
    assert message.endswith(
        "Free some space there, or choose another place, and give the same "
        "command again."
    )


def on_disk(*paths: pathlib.Path) -> int:
    """Returns the bytes that files take, in pages."""
    return sum(-(-path.stat().st_size // PAGE_BYTES) for path in paths) * (
        PAGE_BYTES
    )


@pytest.fixture(scope="module")
def trained(disk, reference):
    """Folder of a training whose disk was full twice."""
    out = disk.folder / "run"
    arguments = (*TRAIN, f"--out={out}")
    checkpoints = reference / "checkpoints"
    checkpoint = on_disk(checkpoints / "float.npz")
    # One checkpoint fits, the next epoch's beside it does not.
    free = on_disk(checkpoints / "training.json") + checkpoint * 3 // 2
    largest_file = checkpoint * 3 // 4
    command = disk.command(*arguments, free=free, largest_file=largest_file)
    require_full(command, disk, "train")
    assert "float.npz" in command.message(disk.folder)
    names = commands.require_whole_files(out)
    assert names <= {"training.json", "float.npz"}
    epochs = finished_epochs(out, "float")
    assert epochs == int("float.npz" in names) < 2

    # Both checkpoints and config.json fit, model.tflite does not.
    free = on_disk(*checkpoints.iterdir(), reference / "config.json")
    free -= on_disk(*out.rglob("*.*"))
    command = disk.command(*arguments, free=free, largest_file=largest_file)
    require_full(command, disk, "train")
    names = commands.require_whole_files(out)
    if disk.is_small:
        assert "model.tflite" in command.message(disk.folder)
        assert command.first_step("float") == epochs * STEPS
        assert names == {
            *("training.json", "float.npz", "quantized.npz", "config.json")
        }
    disk.empty()
    commands.run(*arguments)
    return out


def test_a_training_goes_on_when_there_is_room(trained, reference):
    content = (trained / "model.tflite").read_bytes()
    assert content == (reference / "model.tflite").read_bytes()
    histories = [
        json.loads((folder / "result.json").read_text())["history"]
        for folder in (trained, reference)
    ]
    assert histories[0] == histories[1]


def test_the_results_are_whole_in_the_end(trained):
    names = commands.require_whole_files(trained)
    assert {"model.tflite", "result.json", "result.png"} <= names


def test_a_conversion_leaves_no_file(disk, reference):
    path = disk.folder / "x.tflite"
    arguments = ("convert", reference, f"--out={path}")
    before = set(disk.folder.iterdir())
    command = disk.command(*arguments, free=8_192, largest_file=8_000)
    require_full(command, disk, "convert")
    disk.empty()
    assert set(disk.folder.iterdir()) == before
