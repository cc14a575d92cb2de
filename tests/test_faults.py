"""Every fault of the table in `README.md` gives the message that it shows."""

import collections

import pytest
import write_fault_table
from write_fault_table import README, SECTIONS

FAULTS = [
    pytest.param(fault, id=f"{title}: {fault.name}")
    for title, faults in SECTIONS.items()
    for fault in faults
]
PAGE = README.read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_gives_the_message_of_the_table(fault, tmp_path):
    message = fault.message(tmp_path)
    assert fault.row(message) in PAGE.splitlines()


def test_the_page_has_these_faults_and_no_other():
    names = collections.Counter(p.values[0].name for p in FAULTS)
    rows = iter(
        line
        for section in PAGE.split("\n### ")[1:]
        for line in section.splitlines()[4:]
    )
    assert PAGE == write_fault_table.text(lambda fault: next(rows))
    assert next(rows, None) is None
    assert len(names) >= 60


@pytest.mark.parametrize("fault", FAULTS)
def test_a_message_is_one_line_without_a_trace(fault):
    rows = [r for r in PAGE.splitlines() if r.startswith(f"| {fault.name} |")]
    assert rows
    for row in rows:
        assert "⏎" not in row and "Traceback" not in row
