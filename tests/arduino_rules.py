"""What arduino-lint asks of libraries and sketches, as far as it concerns us.

From the Arduino library and sketch specifications of 2026.
"""

import pathlib
import re

CATEGORIES = {
    "Communication",
    "Data Processing",
    "Data Storage",
    "Device Control",
    "Display",
    "Other",
    "Sensors",
    "Signal Input/Output",
    "Timing",
    "Uncategorized",
}
REQUIRED = {
    "name",
    "version",
    "author",
    "maintainer",
    "sentence",
    "paragraph",
    "category",
    "url",
    "architectures",
}
OPTIONAL = {"depends", "dot_a_linkage", "includes", "precompiled", "ldflags"}
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
SEMANTIC_VERSION = re.compile(r"\d+\.\d+\.\d+")
SOURCES = {".c", ".cpp", ".h", ".ino", ".S"}


def read_properties(path: pathlib.Path) -> dict[str, str]:
    """Returns the fields of a `library.properties`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    fields = [line.split("=", 1) for line in lines]
    assert len({name for name, _ in fields}) == len(fields), "a field twice"
    return dict(fields)


def problems_of_library(folder: pathlib.Path) -> list[str]:
    """Returns what is wrong with a library folder."""
    fields = read_properties(folder / "library.properties")
    headers = fields["includes"].split(",")
    checks = {
        "fields": REQUIRED <= set(fields) <= REQUIRED | OPTIONAL,
        "empty fields": all(fields.values()),
        "name": NAME.fullmatch(fields["name"]) is not None,
        "reserved name": not fields["name"].lower().startswith("arduino"),
        "folder name": folder.name == fields["name"],
        "version": SEMANTIC_VERSION.fullmatch(fields["version"]) is not None,
        "category": fields["category"] in CATEGORIES,
        "sentence": len(fields["sentence"]) <= 100,
        "url": fields["url"].startswith("https://"),
        "includes": all((folder / "src" / h).is_file() for h in headers),
        "header of its name": (folder / f"src/{fields['name']}.h").is_file(),
        "readme": (folder / "README.md").is_file(),
        "license": (folder / "LICENSE").is_file(),
        "flat sources": all(path.is_file() for path in folder.glob("src/*")),
    }
    return [what for what, ok in checks.items() if not ok]


def problems_of_sketch(folder: pathlib.Path) -> list[str]:
    """Returns what is wrong with a sketch folder."""
    checks = {
        "name": NAME.fullmatch(folder.name) is not None,
        "main file": (folder / f"{folder.name}.ino").is_file(),
        "one main file": len(list(folder.glob("*.ino"))) == 1,
    }
    return [what for what, ok in checks.items() if not ok]


def problems_of_files(folder: pathlib.Path) -> list[str]:
    """Returns paths that some system or the IDE cannot handle."""
    paths = [path.relative_to(folder) for path in folder.rglob("*")]
    lowered = [str(path).lower() for path in paths]
    return [
        str(path)
        for path in paths
        if any(NAME.fullmatch(part) is None for part in path.parts)
        or lowered.count(str(path).lower()) > 1
    ]


def missing_includes(folder: pathlib.Path, *include: pathlib.Path) -> list[str]:
    """Returns quoted includes that no folder has, TFLM's aside."""
    missing = []
    for path in sorted(folder.iterdir()):
        if path.suffix in SOURCES:
            for name in re.findall(
                r'#include ["<](\S+\.h)[">]', path.read_text()
            ):
                places = [place / name for place in (folder, *include)]
                foreign = name.startswith("tensorflow/") or name in (
                    "Arduino.h",
                    "Chirale_TensorFlowLite.h",
                    "arm_acle.h",
                )
                if not foreign and not any(map(pathlib.Path.is_file, places)):
                    missing.append(f"{path.name}: {name}")
    return missing
