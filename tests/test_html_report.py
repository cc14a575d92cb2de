"""The report's text; how it looks is for `test_report_in_browser.py`."""

import html
import re

import pytest
import report_results
from matplotlib.figure import Figure

from keras_hypertinypw import html_page, html_report, plots, svg


@pytest.fixture(scope="module")
def result():
    return report_results.make_result()


@pytest.fixture(scope="module")
def page(result):
    return html_report.run_page(result)


def test_equal_results_give_equal_bytes(result, page, tmp_path):
    path = tmp_path / "report.html"
    html_report.write_page(path, result)
    assert path.read_bytes() == page.encode()


def test_the_page_needs_nothing_from_outside(page):
    assert "://" not in page
    for tag in ("<script", "<link", "<img", "<iframe", "@import", "src="):
        assert tag not in page
    assert set(re.findall(r"url\((.)", page)) == {"#"}
    assert "default-src 'none'" in page


def test_ids_are_unique_and_references_lead_to_them(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 100
    references = re.findall(r'(?:href="#|url\(#)([^")]+)', page)
    assert references
    assert set(references) <= set(ids)


def test_the_page_has_what_assistive_technology_needs(page):
    assert '<html lang="en">' in page
    assert "width=device-width" in page
    assert page.count("<h1>") == 1
    figures = page.count("<figure")
    assert figures == 11
    assert page.count('role="img" aria-label="') == figures
    assert page.count("<figcaption>") == figures


def test_every_score_and_its_interval_is_on_the_page(result, page):
    for metric in result["test"]["metrics"].values():
        assert f"{metric['value']:.3f}" in page
        assert f"{metric['low']:.3f} to {metric['high']:.3f}" in page


def test_the_command_and_versions_are_on_the_page(result, page):
    text = re.sub("<[^>]+>", "", page)
    assert html.escape(result["command"]) in text
    for name, version in result["versions"].items():
        assert f"{name}{version}" in text


def test_what_somebody_typed_is_escaped(result):
    command = 'hypertinypw train --out="<script>alert(1)</script>"'
    page = html_report.run_page({**result, "command": command})
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_names_in_plots_are_escaped_and_are_no_formulas(result):
    errors = {"<b>$x_1$</b>&": 0.1}
    page = html_report.run_page({**result, "kernel_errors": errors})
    assert ">&lt;b&gt;$x_1$&lt;/b&gt;&amp;</text>" in page


def test_stored_kernels_are_said_to_be_stored():
    page = html_report.run_page(report_results.make_stored_result())
    assert "None: this network stores every kernel" in page
    assert 'id="kernel-errors"' not in page


@pytest.mark.parametrize(
    "field", ["details", "kernel_errors", "versions", "history"]
)
def test_a_result_without_a_field_is_refused(field, result):
    with pytest.raises(KeyError, match=field):
        html_report.run_page({k: v for k, v in result.items() if k != field})


def test_a_difference_is_shown_as_bad(result):
    found = {**result["verification"], "identical": False}
    page = html_report.run_page({**result, "verification": found})
    assert '<dl class="card bad"><dt>TFLM versus LiteRT' in page
    assert '<dl class="card good">' not in page


def test_colours_are_left_to_the_stylesheet():
    drawn = svg.inline_svg(
        lambda axes: plots.draw_bars(axes, {"a": 1}, "{}"), name="n", label="l"
    )
    assert "var(--blue)" in drawn
    assert plots.BLUE not in drawn and plots.INK not in drawn


def test_plots_leave_matplotlib_as_it_was():
    before = Figure().subplots().xaxis.label.get_color()
    svg.inline_svg(lambda axes: axes.plot([1]), name="n", label="l")
    assert Figure().subplots().xaxis.label.get_color() == before


def test_the_threshold_is_drawn_where_its_probability_is():
    axes = Figure().subplots()
    histogram = {"edges": [-8.0, 0.0, 8.0], "v": [1, 2], "rest": [3, 4]}
    plots.draw_log_odds(axes, histogram, threshold=0.5)
    (line,) = axes.lines
    assert line.get_xdata()[0] == 0


def test_the_largest_part_comes_first_and_empty_ones_not_at_all():
    parts = plots.by_size({"small": 1, "heads": 0, "large_one": 9})
    assert list(parts.items()) == [("large one", 9), ("small", 1)]


def test_tables_align_numbers_but_not_names():
    drawn = html_page.table("T", ("Name", "Bytes"), [("a\nwhat it is", "1")])
    assert '<th scope="row">a<small>what it is</small></th>' in drawn
    assert '<td class="number">1</td>' in drawn


@pytest.fixture(scope="module", params=report_results.CLASS_RESULTS)
def of_classes(request):
    made = report_results.CLASS_RESULTS[request.param]()
    return made, html_report.run_page(made)


def test_every_score_of_classes_is_on_the_page(of_classes):
    result, page = of_classes
    test = result["test"]
    for value in [*test["metrics"].values(), *test["class_f1"].values()]:
        assert f"{value['value']:.3f}" in page
        assert f"{value['low']:.3f} to {value['high']:.3f}" in page
    for name, threshold in test["thresholds"].items():
        assert name in page and f"{threshold:.3f}" in page


def test_a_page_of_classes_speaks_of_no_beats(of_classes):
    _, page = of_classes
    assert "beat" not in re.sub("<[^>]+>", "", page).replace("heartbeat", "")


def test_every_figure_of_classes_has_words_for_it(of_classes):
    _, page = of_classes
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 100
    assert page.count('role="img" aria-label="') == page.count("<figure") >= 8


def test_groups_are_called_what_they_are():
    page = html_report.run_page(report_results.CLASS_RESULTS["two_classes"]())
    assert "Each subject alone" in page
    assert "4,000 minutes of 33 subjects" in page
    assert "of them apnea" in page
