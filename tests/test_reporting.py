import re

from cli_runs import EXAMPLE

from keras_hypertinypw import materialize, reporting, slim
from keras_hypertinypw.op_size import op_code_bytes


def payoff(content):
    """Returns the sizes in a report, and whether generation pays by it."""
    text = reporting.payoff(content)
    sizes = re.findall(r"([\d,]+) B", text)
    generated, op, stored, least = (
        int(size.replace(",", "")) for size in sizes
    )
    assert (op, least) == (op_code_bytes("small"), op_code_bytes("compact"))
    return generated, stored, "large enough" in text


def test_generation_pays_where_kernels_are_large(tiny_model):
    content = EXAMPLE.read_bytes()
    generated, stored, pays = payoff(content)
    assert generated == len(slim(content))
    assert stored == len(slim(materialize(content)))
    assert generated + op_code_bytes("small") < stored
    assert pays
    generated, stored, pays = payoff(tiny_model)
    assert generated + op_code_bytes("small") > stored
    assert not pays
