"""What MkDocs runs: parts of other files become parts of pages.

In a page, `<!-- include FILE: HEADING -->` stands for the section of that
heading (level 2), `<!-- include FILE: lead -->` for what comes before the first
one and `<!-- include FILE -->` for all of it. Links in what is included lead to
where their targets are on this site. `<!-- commands -->` stands for the help of
all commands. Each notebook becomes a page, with its outputs.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import posixpath
import re

import nbconvert
from markdown.extensions.toc import slugify
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from keras_hypertinypw import cli

ROOT = pathlib.Path(__file__).resolve().parent.parent
LEAD = "lead"
_INCLUDE = re.compile(
    r"<!-- include (?P<file>[\w./]+)(?:: (?P<heading>.+?))? -->"
)
_COMMANDS = "<!-- commands -->"
_LINK = re.compile(r"(!?\[[^]]*\])\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_HELP_COLUMNS = "78"

# Where the headings of included files are: page by file and slug.
_homes: dict[tuple[str, str], str] = {}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the notebooks and the included pictures."""
    _homes.clear()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for name, content in _notebook_files(path).items():
            files.append(File.generated(config, name, content=content))
    for file in files.documentation_pages():
        for include in _INCLUDE.finditer(file.content_string):
            source = include["file"]
            text = read_section(source, include["heading"])
            if include["heading"]:
                _homes.setdefault((source, ""), file.src_uri)
            else:
                _homes[source, ""] = file.src_uri
            for heading in _HEADING.findall(text):
                slug = slugify(re.sub(r"[`*]", "", heading), "-")
                _homes[source, slug] = file.src_uri
            for _, target in _LINK.findall(text):
                name = _resolve(source, target)
                if name.endswith(".png") and not files.get_file_from_path(name):
                    path = str(ROOT / name)
                    files.append(
                        File.generated(config, name, abs_src_path=path)
                    )
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Puts in what stands elsewhere."""
    here = page.file.src_uri

    def replace(include: re.Match[str]) -> str:
        source = include["file"]
        return _LINK.sub(
            lambda link: f"{link[1]}({_moved(source, link[2], here)})",
            read_section(source, include["heading"]),
        )

    markdown = _INCLUDE.sub(replace, markdown)
    if _COMMANDS in markdown:
        markdown = markdown.replace(_COMMANDS, command_help())
    return markdown


def command_help() -> str:
    """Returns a section for each command, with what `--help` prints."""
    os.environ["COLUMNS"] = _HELP_COLUMNS  # argparse asks the terminal.
    parser = cli.build_parser()
    (commands,) = [
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    sections = [("", parser), *commands.items()]
    return "\n\n".join(
        f"## hypertinypw {name}".rstrip()
        + f"\n\n```text\n{command.format_help().rstrip()}\n```"
        for name, command in sections
    )


def read_section(source: str, heading: str | None) -> str:
    """Returns a part of a Markdown file.

    Args:
        source: The file, below the root of the repository.
        heading: A heading of level 2 with its markup, `LEAD`, or None for
            the whole file.

    Raises:
        PluginError: If the heading is not there.
    """
    text = (ROOT / source).read_text(encoding="utf-8")
    if heading is None:
        return text
    lead, *sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    if heading == LEAD:
        return lead
    for section in sections:
        if section.startswith(f"## {heading}\n"):
            return section
    raise PluginError(f"Expected a heading of {source}. Received: {heading!r}.")


def _resolve(source: str, target: str) -> str:
    """Returns the path of a link's target below the root, without anchor."""
    path = target.partition("#")[0]
    if not path:
        return source
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path))


def _moved(source: str, target: str, here: str) -> str:
    """Returns the target of a link as seen from a page."""
    if "://" in target:
        return target
    path, anchor = _resolve(source, target), target.partition("#")[2]
    if path.endswith(".ipynb"):
        path = posixpath.splitext(path)[0] + ".md"
    elif not path.endswith(".png"):
        if (path, anchor) not in _homes:
            raise PluginError(
                f"Expected a page that includes what {source} links to. "
                f"Received: none for {target}."
            )
        path = _homes[path, anchor]
    relative = posixpath.relpath(path, posixpath.dirname(here) or ".")
    return f"{relative}#{anchor}" if anchor else relative


def _notebook_files(path: pathlib.Path) -> dict[str, str | bytes]:
    exporter = nbconvert.MarkdownExporter()
    resources = {"unique_key": path.stem, "output_files_dir": path.stem}
    body, resources = exporter.from_filename(str(path), resources)
    pictures = {
        f"notebooks/{name}": content
        for name, content in resources["outputs"].items()
    }
    return {f"notebooks/{path.stem}.md": body, **pictures}
