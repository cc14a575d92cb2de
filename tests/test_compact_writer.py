"""The compact writer says the same as the schema's own, in fewer bytes."""

import pathlib

import numpy as np
import pytest
from slim_models import RandomModel

from keras_hypertinypw.byte_ranges import walk_vectors
from keras_hypertinypw.compact_layout import WORD, Extent, lay_out
from keras_hypertinypw.compact_writer import write_compact
from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.slim_structure import plain

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples/mitdb"


def contents():
    yield (EXAMPLES / "generated.tflite").read_bytes()
    for seed in range(20):
        yield RandomModel(seed).to_bytes()


@pytest.mark.parametrize("content", list(contents()), ids=range(21))
def test_nothing_is_lost(content):
    compact = write_compact(read_model(content))
    assert len(compact) < len(content)
    assert plain(read_model(compact)) == plain(read_model(content))
    assert write_compact(read_model(compact)) == compact


def test_equal_vectors_share_their_bytes():
    model = read_model((EXAMPLES / "stored.tflite").read_bytes())
    starts: dict[tuple, set[int]] = {}
    content = write_compact(model)
    for vector in walk_vectors(content):
        data = content[vector.start : vector.start + vector.size]
        field = vector.path[-1]
        if vector.path[0] == "subgraphs" and field in ("shape", "scale"):
            starts.setdefault((field, data), set()).add(vector.start)
    assert len(starts) > 20
    assert all(len(places) == 1 for places in starts.values())


def require_valid(extents, inner, outer, places, end):
    spans = sorted(
        (places[i], places[i] + extents[i].padded) for i in inner + outer
    )
    for (_, before), (after, _) in zip(spans, spans[1:], strict=False):
        assert before <= after
    assert spans[-1][1] == end
    for index in inner + outer:
        assert places[index] % WORD == 0
        assert (places[index] + WORD) % extents[index].alignment == 0
    assert [places[i] for i in inner] == sorted(places[i] for i in inner)


def test_layouts_are_valid():
    rng = np.random.default_rng(3)
    for _ in range(200):
        extents = [
            Extent(int(rng.integers(4, 90)), int(rng.choice([4, 4, 4, 8, 16])))
            for _ in range(rng.integers(1, 40))
        ]
        border = int(rng.integers(len(extents) + 1))
        indices = list(range(len(extents)))
        inner, outer = indices[:border], indices[border:]
        places, end = lay_out(extents, inner, outer, 8)
        require_valid(extents, inner, outer, places, end)


def test_small_parts_fill_gaps():
    data, scale, shape = Extent(4 + 64, 16), Extent(8, 4), Extent(20, 4)
    extents = [data] * 3 + [scale] * 3 + [shape] * 3
    indices = list(range(len(extents)))
    _, end = lay_out(extents, [], indices, 0)
    assert end == sum(extent.size for extent in extents)
