"""The site builds without a warning, works offline, and says what is so."""

import os
import pathlib
import re
import subprocess
import sys

import browser_checks
import pytest
from mkdocs.exceptions import PluginError

import keras_hypertinypw
from keras_hypertinypw import cli, evaluation
from keras_hypertinypw.tasks import TASKS

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text()
    for path in sorted(DOCS.rglob("*.md"))
}
# On no page: it is about the repository.
NOT_INCLUDED = {"Where things are"}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return folder


def test_every_page_is_built(site):
    for page in PAGES:
        assert (site / page).with_suffix(".html").is_file()
    assert (site / "examples/mitdb/generated.png").is_file()


LOADS = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(?:https?:)?//[^\">]*"
    r"|<link\b[^>]*\bhref=\"?(?:https?:)?//[^\">]*"
)


def test_nothing_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        assert not LOADS.findall(path.read_text()), path
    for path in site.rglob("*.css"):
        assert not re.findall(r"url\(\"?(?:https?:)?//", path.read_text())


def test_that_would_notice():
    for text in (
        '<script src="https://example.com/a.js">',
        '<link rel="stylesheet" href="//example.com/a.css">',
    ):
        assert LOADS.search(text)
    assert not LOADS.search('<a href="https://example.com">')


@pytest.fixture(scope="module")
def browser():
    browser = browser_checks.open_browser()
    yield browser
    browser.quit()


def test_search_works_from_the_file_system(site, browser):
    browser.get(f"{(site / 'index.html').as_uri()}?q=per_invoke")
    browser.implicitly_wait(30)
    result = browser.find_element("css selector", ".md-search-result__link")
    assert result.get_attribute("href").startswith(site.as_uri())


def test_every_command_is_explained(site):
    page = (site / "commands.html").read_text()
    for command in cli.build_parser()._subparsers._group_actions[0].choices:
        assert f"usage: hypertinypw {command} " in page
    assert "--arena_budget" in page


def documented():
    text = "".join(PAGES[page] for page in PAGES if page.startswith("api/"))
    return set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))


@pytest.mark.parametrize("name", keras_hypertinypw.__all__)
def test_every_public_name_has_a_reference(name):
    if name != "__version__":
        # Of the three that are loaded eagerly, the name is the module's.
        module = keras_hypertinypw._MODULES.get(name, name)
        assert f"keras_hypertinypw.{module}.{name}" in documented()


def test_every_name_of_evaluation_has_a_reference(site):
    page = (site / "api/evaluation.html").read_text()
    for name in evaluation.__all__:
        assert re.search(rf'id="[\w.]+\.evaluation\.\w+\.{name}"', page), name


def test_every_data_set_has_a_reference():
    for task in TASKS.values():
        module = task.source.partition(".")[0]
        assert f"keras_hypertinypw.datasets.{module}" in documented()


def test_every_section_of_the_readme_is_on_one_page():
    text = (ROOT / "README.md").read_text()
    for heading in re.findall(r"^## (.+)$", text, re.MULTILINE):
        pages = [
            page
            for page, text in PAGES.items()
            if f" README.md: {heading} -->" in text
        ]
        assert len(pages) == (heading not in NOT_INCLUDED), heading


@pytest.fixture
def hooks():
    sys.path.insert(0, str(DOCS))
    try:
        import hooks
    finally:
        del sys.path[0]
    return hooks


def test_a_missing_section_is_an_error(hooks):
    with pytest.raises(PluginError, match="Not there"):
        hooks.read_section("README.md", "Not there")


def test_a_link_to_no_page_is_an_error(hooks):
    with pytest.raises(PluginError, match="Makefile"):
        hooks._moved("README.md", "Makefile", "index.md")


# A block of text behind one of Python is what that prints.
BLOCKS = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
WITH_CODE = [page for page in PAGES if BLOCKS.search(PAGES[page])]


@pytest.mark.parametrize("page", WITH_CODE)
def test_code_of_a_page_runs(page, tmp_path):
    blocks = BLOCKS.findall(PAGES[page])
    script = tmp_path / "page.py"
    script.write_text("\n".join(code for code, _ in blocks))
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for _, expected in blocks:
        assert expected in done.stdout


def test_the_tutorial_runs_to_its_end():
    assert "tutorial.md" in WITH_CODE
    assert "howto/keras.md" in WITH_CODE
    assert "export_arduino" in BLOCKS.findall(PAGES["tutorial.md"])[-1][0]
