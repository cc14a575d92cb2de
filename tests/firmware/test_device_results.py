"""The committed device figures are what the commands give."""

import json

import board_network
import cpp_build
import device

RECORD = json.loads(device.RESULTS.read_text())
EXAMPLE = cpp_build.REPOSITORY / "examples" / "mitdb" / "generated.tflite"


def test_the_table_is_current():
    assert device.TABLE.read_text() == device.table(RECORD)


def test_the_figures_of_the_example_are_current(network_program):
    cpp_build.require_quoted_compiler()
    found = device.variants(network_program, EXAMPLE.read_bytes())
    assert found == RECORD["networks"]["mitdb"]


def test_the_bars_are_met():
    assert RECORD["instructions_per_generator_mac"] <= 2.0
    for rows in RECORD["networks"].values():
        cached, stored = rows["cached"], rows["stored"]
        assert abs(cached["steady"] / stored["steady"] - 1) <= 0.005
        assert cached["synthesis"] <= cached["steady"]
        for name, row in rows.items():
            if name.startswith("planned") and "smallest_budget" not in row:
                budget = int(name.split()[1]) * 1024
                assert row["host_arena_bytes"] <= budget
                assert row["board_arena_bytes"] <= budget


def test_what_is_counted_are_whole_networks(network_program):
    counted = board_network.count(network_program, EXAMPLE.read_bytes())
    kinds = [layer.kind for layer in counted.layers]
    assert kinds.count("GeneratePW") == 3
    assert kinds.count("CONV_2D") == 5
