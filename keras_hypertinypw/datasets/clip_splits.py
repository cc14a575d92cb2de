"""Which clip of a folder of words belongs to which split, and who speaks.

Three ways, the first that is there: `train.csv`, `val.csv` and `test.csv`, with
columns `file` and `class` (Arabic Speech Commands); `validation_list.txt` and
`testing_list.txt`, all else training (Speech Commands as published); the hash
of the file's name (`which_set` in the README of Speech Commands).
"""

from __future__ import annotations

import csv
import hashlib
import pathlib
import re
from collections.abc import Iterable

from keras_hypertinypw.datasets.splits import SPLITS

NOISE_FOLDER = "_background_noise_"
CSV_FILES = {"train": "train.csv", "validation": "val.csv", "test": "test.csv"}
LIST_FILES = {
    "validation": "validation_list.txt",
    "test": "testing_list.txt",
}
COLUMNS = ("file", "class")

_MAX_NUM_WAVS_PER_CLASS = 2**27 - 1
_VALIDATION_PERCENTAGE = 10
_TEST_PERCENTAGE = 10


def which_set(file_name: str) -> str:
    """Returns the split of a file by the official rule.

    What precedes `_nohash_` decides, so that all clips of a speaker are in one
    split: 10 % of the hashes are validation, 10 % test.

    Args:
        file_name: Without its folder.
    """
    hashed = re.sub(r"_nohash_.*$", "", file_name)
    digest = int(hashlib.sha1(hashed.encode()).hexdigest(), 16)
    percentage = (digest % (_MAX_NUM_WAVS_PER_CLASS + 1)) * (
        100.0 / _MAX_NUM_WAVS_PER_CLASS
    )
    if percentage < _VALIDATION_PERCENTAGE:
        return "validation"
    if percentage < _VALIDATION_PERCENTAGE + _TEST_PERCENTAGE:
        return "test"
    return "train"


def word_of(name: str) -> str:
    """`yes/004ae714_nohash_0.wav` is the word `yes`."""
    return pathlib.PurePosixPath(name).parent.name


def speaker_of(name: str) -> str:
    """`yes/004ae714_nohash_0.wav` is of speaker `004ae714`."""
    return pathlib.PurePosixPath(name).stem.partition("_")[0]


def read_splits(folder: pathlib.Path) -> dict[str, list[str]]:
    """Finds the clips of every split.

    Args:
        folder: Holds a folder of wav files for each word. Folders whose names
            begin with `_` or `.` are no words.

    Returns:
        Names of the clips by split, sorted, relative to `folder`, with `/`
        between folders.

    Raises:
        FileNotFoundError: If a clip that a split names, or one of the files
            that name the splits, is missing.
        ValueError: If such a file is malformed, has a word that is not the
            clip's folder, or names a clip that is named before.
    """
    if _any_of(folder, CSV_FILES.values()):
        named = {
            split: _read_csv(folder, file) for split, file in CSV_FILES.items()
        }
        _require(folder, named, _exists_in(folder, named))
        return named
    present = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.glob("[!_.]*/*.wav")
    )
    if _any_of(folder, LIST_FILES.values()):
        named = {
            split: _read_list(folder, file)
            for split, file in LIST_FILES.items()
        }
        _require(folder, named, set(present))
        taken = {name for names in named.values() for name in names}
        train = [name for name in present if name not in taken]
        return {"train": train, **named}
    found: dict[str, list[str]] = {split: [] for split in SPLITS}
    for name in present:
        found[which_set(name.rpartition("/")[2])].append(name)
    return found


def _any_of(folder: pathlib.Path, names: Iterable[str]) -> bool:
    return any((folder / name).is_file() for name in names)


def _exists_in(folder: pathlib.Path, named: dict[str, list[str]]) -> set[str]:
    everything = {name for names in named.values() for name in names}
    return {name for name in everything if (folder / name).is_file()}


def _require(
    folder: pathlib.Path, named: dict[str, list[str]], present: set[str]
) -> None:
    everything = [name for names in named.values() for name in names]
    missing = [name for name in everything if name not in present]
    if missing:
        more = f" and {len(missing) - 3:,} more" if len(missing) > 3 else ""
        raise FileNotFoundError(
            f"Expected every clip that the splits in '{folder}' name. "
            f"Missing: {', '.join(missing[:3])}{more}. Copy or unpack the data "
            "set again."
        )
    seen: set[str] = set()
    for name in everything:
        if name in seen:
            raise ValueError(
                f"Expected every clip once in the splits in '{folder}'. "
                f"Received: '{name}' twice. Delete one of the lines."
            )
        seen.add(name)


def _read_list(folder: pathlib.Path, file: str) -> list[str]:
    lines = _read_text(folder / file).splitlines()
    return sorted(line.strip() for line in lines if line.strip())


def _read_csv(folder: pathlib.Path, file: str) -> list[str]:
    path = folder / file
    rows = csv.DictReader(_read_text(path).splitlines())
    columns = rows.fieldnames or ()
    if not set(COLUMNS) <= set(columns):
        raise _malformed(path, f"columns {', '.join(columns) or 'none'}")
    names = []
    for row in rows:
        name, word = (row[column] for column in COLUMNS)
        if not name or not word:
            raise _malformed(path, f"line {rows.line_num} without both")
        if word_of(name) != word:
            raise ValueError(
                f"Expected '{path}' with the folder of each clip as its word. "
                f"Received: '{name}' of unknown word '{word}' in line "
                f"{rows.line_num}. Correct the line, or move the clip."
            )
        names.append(name)
    return sorted(names)


def _malformed(path: pathlib.Path, received: str) -> ValueError:
    return ValueError(
        f"Expected '{path}' with columns {' and '.join(COLUMNS)}. Received: "
        f"{received}. Copy the file again."
    )


def _read_text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"Expected the file '{path}', which names a split as others there "
            "do. Received: no such file. Copy or unpack the data set again."
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"Expected '{path}' as UTF-8 text. Received: {error}. Copy the "
            "file again."
        ) from error
