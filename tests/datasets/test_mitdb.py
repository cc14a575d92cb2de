import numpy as np
import pytest
import real_data
import wfdb

from keras_hypertinypw.datasets import features, mitdb, splits, windows

BEATS = np.arange(8) * 300 + 400
SYMBOLS = ["N", "A", "V", "F", "Q", "L", "E", "j"]


def write_record(folder, record_name="100", leads=("V5", "MLII")):
    rng = np.random.default_rng(0)
    seconds = np.arange(3000)[:, None] / 360
    ecg = np.exp(-0.5 * ((seconds - BEATS / 360) / 0.015) ** 2).sum(axis=1)
    noise = 0.01 * rng.standard_normal(3000)
    lead_of = {"MLII": ecg, "V5": noise}
    wfdb.wrsamp(
        record_name,
        fs=360,
        units=["mV"] * len(leads),
        sig_name=list(leads),
        p_signal=np.stack([lead_of.get(n, noise) for n in leads], axis=1),
        fmt=["16"] * len(leads),
        write_dir=str(folder),
    )
    wfdb.wrann(
        record_name,
        "atr",
        np.concatenate([[10], BEATS]),
        symbol=["+", *SYMBOLS],
        write_dir=str(folder),
    )
    return folder


def write_annotations(path, codes):
    """Writes an MIT-format annotation file with the given label codes."""
    words = [(code << 10) | 300 for code in codes]
    path.write_bytes(np.array([*words, 0], "<u2").tobytes())


def test_a_record_becomes_one_window_per_classified_beat(tmp_path):
    part = mitdb.load_record("100", write_record(tmp_path))
    names = [part.classes[label] for label in part.y]
    assert names == ["N", "S", "V", "F", "N", "V", "N"]  # Q is left out.
    assert part.x.shape == (7, 256, 3)
    assert set(part.groups) == {"100"}


def test_the_lead_is_chosen_by_name(tmp_path):
    part = mitdb.load_record("100", write_record(tmp_path))
    peaks = part.x[:, 100:156, 0].argmax(axis=1) + 100
    assert np.abs(peaks - 128).max() <= 1


def test_excluded_beats_count_for_timing(tmp_path):
    part = mitdb.load_record("100", write_record(tmp_path))
    # The beat after Q has an ordinary previous interval, not a double one.
    np.testing.assert_allclose(part.x[4, :, 1], 0, atol=1e-6)


def test_record_202_is_patient_201(tmp_path):
    write_record(tmp_path, "202")
    assert set(mitdb.load_record("202", tmp_path).groups) == {"201"}


@pytest.mark.parametrize("extension", ["hea", "dat", "atr"])
def test_a_missing_file_is_named(tmp_path, extension):
    write_record(tmp_path)
    (tmp_path / f"100.{extension}").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        mitdb.load_record("100", tmp_path)
    for part in (f"100.{extension}", str(tmp_path), "download=True"):
        assert part in str(caught.value)


def test_loading_lists_what_is_missing_before_it_reads(tmp_path):
    write_record(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"114\.hea.* and 15 more"):
        mitdb.load("validation", data_dir=tmp_path)


def test_the_folder_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HYPERTINYPW_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "mitdb")):
        mitdb.load("test")


def test_download_fetches_what_is_missing(tmp_path, monkeypatch):
    asked = []

    def download_database(url, folder, *, file_names):
        asked.extend(file_names)
        for name in splits.VALIDATION:
            write_record(folder, name)

    monkeypatch.setattr(mitdb.downloads, "download_database", download_database)
    write_record(tmp_path, "114")
    loaded = mitdb.load("validation", data_dir=tmp_path, download=True)
    assert len(asked) == 15 and "118.dat" in asked
    assert len(loaded) == 6 * 7
    asked.clear()
    mitdb.load("validation", data_dir=tmp_path, download=True)
    assert not asked


def test_a_record_without_the_lead_names_those_it_has(tmp_path):
    write_record(tmp_path, leads=("V5", "V2"))
    with pytest.raises(ValueError, match=r"'100'.*'MLII'.*V5.*V2"):
        mitdb.load_record("100", tmp_path)


def test_an_unknown_label_code_is_refused(tmp_path):
    write_record(tmp_path)
    write_annotations(tmp_path / "100.atr", [1, 45, 1])
    with pytest.raises(ValueError, match=r"'100'.*Received: nan at sample 600"):
        mitdb.load_record("100", tmp_path)


@pytest.mark.parametrize("symbol", ["Z", "", "NN", np.nan])
def test_an_unknown_symbol_is_refused(symbol):
    with pytest.raises(ValueError, match="at sample 7"):
        mitdb.select_beats(np.array([5, 7]), ["N", symbol], "100")


def test_an_unusable_signal_names_its_record(tmp_path):
    write_record(tmp_path)
    write_annotations(tmp_path / "100.atr", [28])
    with pytest.raises(ValueError, match="Record '100'.*at least one beat"):
        mitdb.load_record("100", tmp_path)


def test_every_wfdb_symbol_is_in_exactly_one_table():
    tables = "".join(
        [
            *mitdb.BEAT_SYMBOLS.values(),
            mitdb.EXCLUDED_BEAT_SYMBOLS,
            mitdb.NON_BEAT_SYMBOLS,
        ]
    )
    known = {label.symbol for label in wfdb.io.annotation.ann_labels} - {" "}
    assert len(set(tables)) == len(tables)
    assert set(tables) == known


@pytest.fixture(scope="module", params=list(splits.SPLITS))
def real(request):
    folder = real_data.require("mitdb")
    return request.param, mitdb.load(request.param, data_dir=folder)


def test_real_beats_are_counted_as_published(real):
    # The test split is that of de Chazal et al. 2004, to the beat.
    split, loaded = real
    expected = {
        "train": {"N": 34185, "S": 622, "V": 2928, "F": 381},
        "validation": {"N": 11681, "S": 322, "V": 860, "F": 34},
        "test": {"N": 44259, "S": 1837, "V": 3221, "F": 388},
    }
    assert loaded.class_counts() == expected[split]


def test_real_windows_fill_the_int8_range_without_much_clipping(real):
    _, loaded = real
    clipped = np.abs(loaded.x) >= features.CLIP
    assert clipped.mean(axis=(0, 1)).max() < 0.005
    assert (loaded.x.std(axis=(0, 1)) > 0.2).all()


def test_real_premature_beats_come_early(real):
    _, loaded = real
    previous = loaded.x[:, 0, 1]
    medians = [np.median(previous[loaded.y == label]) for label in range(3)]
    assert abs(medians[0]) < 0.1
    assert medians[1] < -0.4
    assert medians[2] < -0.4


def test_real_patients_are_the_groups_of_the_protocol(real):
    split, loaded = real
    assert isinstance(loaded, windows.Windows)
    assert set(loaded.groups) == {
        splits.mitdb_patient(name) for name in splits.mitdb_records(split)
    }
