"""Reports as Chromium shows them, on a desktop and on a telephone."""

import functools
import json
import pathlib

import browser_checks
import pytest
import report_results

from keras_hypertinypw import cli, html_page, html_report

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples/mitdb"
WIDTHS = (1280, 400)
MADE = {
    "made": report_results.make_result,
    "awkward": report_results.make_awkward_result,
    "without_kernels": report_results.make_stored_result,
    **report_results.CLASS_RESULTS,
}


@pytest.fixture(scope="module")
def browser():
    browser = browser_checks.open_browser()
    yield browser
    browser.quit()


@pytest.fixture
def problems(browser, tmp_path):
    """Returns a function that finds what is wrong with a page."""

    def find(page, width):
        path = tmp_path / "report.html"
        path.write_text(page, encoding="utf-8")
        screenshot = tmp_path / f"{width}.png"
        return browser_checks.find_problems(browser, path, width, screenshot)

    return find


@functools.cache
def page_of(name):
    if name in MADE:
        return html_report.run_page(MADE[name]())
    result = json.loads((EXAMPLES / f"{name}.json").read_text())
    return html_report.run_page(result)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [*MADE, "generated", "stored"])
def test_nobody_complains_about_a_report(name, width, problems):
    assert problems(page_of(name), width) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nobody_complains_about_the_report_of_a_footprint(
    width, tmp_path, problems, capsys
):
    path = tmp_path / "footprint.html"
    model = str(EXAMPLES / "generated.tflite")
    assert cli.main(["footprint", model, "--report", str(path)]) == 0
    assert problems(path.read_text(encoding="utf-8"), width) == []


def test_plots_show_in_the_dark(browser, problems):
    media = "Emulation.setEmulatedMedia"
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.execute_cdp_cmd(media, {"features": [dark]})
    try:
        assert problems(page_of("made"), 1280) == []
        color = browser.execute_script(
            "return getComputedStyle(document.body).backgroundColor"
        )
    finally:
        browser.execute_cdp_cmd(media, {"features": []})
    assert color == "rgb(15, 19, 23)"


def plot(inner, box="0 0 400 200"):
    text = "text { font: 15px sans-serif }"
    return (
        f"<style>{text}</style><figure><svg viewBox='{box}' aria-label='p'>"
        f"<rect width='90' height='90'/>{inner}</svg></figure>"
    )


def broken(content):
    return html_page.page("Broken", "On purpose.", [content])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            plot(
                "<text x='9' y='120'>one</text><text x='12' y='122'>two</text>"
            ),
            "texts of p overlap: one | two",
        ),
        (plot("<text x='390' y='100'>long</text>"), "text is cut off: long"),
        (plot("", "0 0 400 20"), "plot is too small"),
        (plot("<text x='9' y='150' style='font-size: 1px'>t</text>"), "tiny"),
        ("<figure></figure>", "no plot in figure"),
        (plot("").replace("rect", "desc"), "is empty"),
        ("<div style='width: 3000px'>wide</div>", "page scrolls sideways"),
        (
            "<figure style='margin-left: -99px'>" + plot("")[8:],
            "plot is cut off",
        ),
        (
            plot("") + "<p class='card' style='margin-top: -50px'>over</p>",
            "blocks overlap",
        ),
        (
            "<p>below</p><p style='margin-top: -30px'>above</p>",
            "words overlap: below | above",
        ),
        (
            "<div class='card' style='width: 60px'>overflowing</div>",
            "text leaves its box: overflowing",
        ),
        (
            "<div style='width: 60px; overflow: hidden; white-space: nowrap'>"
            "text that goes on and on</div>",
            "content is cut off",
        ),
        ("<img src='picture.png' alt=''>", "Content Security Policy"),
        ("<script>x</script>", "Content Security Policy"),
    ],
)
def test_somebody_complains_about_a_broken_page(content, complaint, problems):
    found = problems(broken(content), 400)
    assert any(complaint in problem for problem in found), found


def test_nobody_complains_about_the_same_page_unbroken(problems):
    good = plot("<text x='9' y='120'>one</text><text x='60' y='120'>two</text>")
    assert problems(broken(good), 400) == []


def test_a_request_is_noticed(problems):
    policy = f'content="{html_page.POLICY}"'
    page = broken("<img src='picture.png' alt=''>").replace(policy, "")
    found = problems(page, 400)
    assert any("fetches" in p and "picture.png" in p for p in found), found
