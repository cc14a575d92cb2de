import json

import pytest

from keras_hypertinypw import paper, reproduction, tasks
from keras_hypertinypw.evaluation import beats
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.run_config import Schedule
from keras_hypertinypw.slim import slim

SCHEDULE = Schedule(float_epochs=1, quantized_epochs=1, batch_size=256)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce")
    claim = paper.CLAIMS["mitdb"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(paper.CLAIMS, "synthetic", claim)
        result = reproduction.reproduce(
            "synthetic", folder, width=24, schedule=SCHEDULE, command="test"
        )
        return folder, result, reproduction.table(result)


def test_the_graph_is_stored_once_and_generated_once(reproduced):
    folder, _, _ = reproduced
    stored, generated = (
        (folder / name / "model.tflite").read_bytes()
        for name in ("stored", "generated")
    )
    assert not read_specs(stored)
    # The first pointwise kernel stays stored, as in the paper.
    assert len(read_specs(generated)) == 3


def test_the_table_shows_what_was_measured(reproduced):
    folder, result, table = reproduced
    assert result == json.loads((folder / "reproduce.json").read_text())
    for name in ("stored", "generated"):
        run = json.loads((folder / name / "result.json").read_text())
        score = run["test"]["metrics"]["macro_f1_4_classes"]
        assert result[name]["score"] == score
        assert f"{score['value']:.3f}" in table
        content = (folder / name / "model.tflite").read_bytes()
        size = len(slim(content, verify=False))
        assert result[name]["file_bytes"] == size
        assert f"{size:,} B" in table
    ratio = result["stored"]["file_bytes"] / result["generated"]["file_bytes"]
    assert f"{ratio:.2f}x smaller" in table


def test_the_table_names_the_papers_figures_and_protocol(reproduced):
    _, _, table = reproduced
    for text in ("6.31x smaller", ">= 95%", "de Chazal's", "The paper: two"):
        assert text in table


def test_claims_are_of_data_sets_and_their_scores():
    for dataset, claim in paper.CLAIMS.items():
        protocol = tasks.TASKS[dataset].protocol
        known = {
            "beats": {"macro_f1_4_classes"},
            "classes": {"macro_f1", "accuracy"},
        }
        assert claim.metric in known[protocol]
    assert beats.CLASSES == ("N", "S", "V", "F")
