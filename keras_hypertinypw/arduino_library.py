"""The files of the Arduino library with the op."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from keras_hypertinypw import native
from keras_hypertinypw.arduino_sketch import TEMPLATES, render
from keras_hypertinypw.op_builds import DESCRIPTIONS, MACROS, Build
from keras_hypertinypw.version import __version__

LIBRARY = "HyperTinyPW"
_COLUMNS = 80


def library_files(
    sketch_name: str, sketch: Mapping[str, bytes], op_build: Build
) -> Mapping[str, bytes]:
    """Returns the content of the library folder by path in it.

    Args:
        sketch_name: Name of the sketch, which becomes the library's example.
        sketch: Files of that sketch by name.
        op_build: How the ops are compiled. The Arduino IDE passes no macros
            to a library, so its sources begin with them.

    Raises:
        FileNotFoundError: If the installation lacks the op's sources.
    """
    files = {
        "library.properties": render("library.properties", version=__version__),
        "README.md": render(
            "README.md",
            version=__version__,
            sketch_name=sketch_name,
            op_build=textwrap.fill(
                f"The ops are of the build '{op_build}', which "
                f"{DESCRIPTIONS[op_build]}.",
                _COLUMNS,
            ),
        ),
        f"src/{LIBRARY}.h": render(f"{LIBRARY}.h"),
    }
    for name in ("LICENSE", "keywords.txt"):
        files[name] = (TEMPLATES / name).read_bytes()
    macros = "".join(
        f"#define {name} {value}\n" for name, value in MACROS[op_build].items()
    ).encode()
    # `host/` is not for firmware.
    for path in sorted(native.source_dir().iterdir()):
        if path.suffix == ".h":
            files[f"src/{path.name}"] = path.read_bytes()
        elif path.suffix == ".cc":
            # Not every version of the Arduino IDE compiles .cc.
            name = path.with_suffix(".cpp").name
            files[f"src/{name}"] = macros + path.read_bytes()
    for name, content in sketch.items():
        files[f"examples/{sketch_name}/{name}"] = content
    return files
