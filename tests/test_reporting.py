import re

from cli_runs import EXAMPLE

from keras_hypertinypw import materialize, reporting
from keras_hypertinypw.op_size import op_code_bytes


def payoff(content):
    """Returns both sizes of a report, and whether generation pays by it."""
    text = reporting.payoff(content)
    generated, stored = re.findall(r"([\d,]+) B", text)
    sizes = (int(size.replace(",", "")) for size in (generated, stored))
    return *sizes, "large enough" in text


def test_generation_pays_where_kernels_are_large(tiny_model):
    content = EXAMPLE.read_bytes()
    generated, stored, pays = payoff(content)
    assert generated == len(content) + op_code_bytes(fastest=False)
    assert stored == len(materialize(content)) > generated
    assert pays
    generated, stored, pays = payoff(tiny_model)
    assert generated > stored
    assert not pays
