"""The files of the Arduino library with the op."""

from __future__ import annotations

from collections.abc import Mapping

from keras_hypertinypw import native
from keras_hypertinypw.arduino_sketch import TEMPLATES, render
from keras_hypertinypw.version import __version__

LIBRARY = "HyperTinyPW"


def library_files(
    sketch_name: str, sketch: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """Returns the content of the library folder by path in it.

    Args:
        sketch_name: Name of the sketch, which becomes the library's example.
        sketch: Files of that sketch by name.

    Raises:
        FileNotFoundError: If the installation lacks the op's sources.
    """
    files = {
        "library.properties": render("library.properties", version=__version__),
        "README.md": render(
            "README.md", version=__version__, sketch_name=sketch_name
        ),
        f"src/{LIBRARY}.h": render(f"{LIBRARY}.h"),
    }
    for name in ("LICENSE", "keywords.txt"):
        files[name] = (TEMPLATES / name).read_bytes()
    # `host/` is not for firmware.
    for path in sorted(native.source_dir().iterdir()):
        if path.suffix in (".h", ".cc"):
            # Not every version of the Arduino IDE compiles .cc.
            name = path.with_suffix({".cc": ".cpp"}.get(path.suffix, ".h")).name
            files[f"src/{name}"] = path.read_bytes()
    for name, content in sketch.items():
        files[f"examples/{sketch_name}/{name}"] = content
    return files
