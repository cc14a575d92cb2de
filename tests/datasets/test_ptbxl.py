import csv
import hashlib

import numpy as np
import pytest
import wfdb

from keras_hypertinypw.datasets import features, ptbxl, splits

STATEMENTS = [
    ("NORM", "1.0", "NORM"),
    ("IMI", "1.0", "MI"),
    ("ASMI", "1.0", "MI"),
    ("NDT", "1.0", "STTC"),
    ("LVH", "1.0", "HYP"),
    ("ABQRS", "", ""),  # A form statement.
    ("SR", "", ""),  # A rhythm statement.
]
# Fold, patient and statements with their likelihood, 0 for unknown.
RECORDS = [
    (1, "15709.0", "{'NORM': 100.0, 'LVOLT': 0.0, 'SR': 0.0}"),
    (8, "13243.0", "{'IMI': 35.0, 'ASMI': 0.0, 'ABQRS': 0.0}"),
    (9, "20372.0", "{'NDT': 100.0, 'LVH': 50.0, 'SR': 0.0}"),
    (9, "20372.0", "{'SR': 0.0}"),
    (10, "17014.0", "{'NORM': 80.0}"),
]


def write_table(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def write_record(folder, name, *, height=1.0, num_samples=1000, fs=100):
    """Writes peaks of `height` mV in lead II, and of half of it elsewhere."""
    time = np.arange(num_samples)[:, None]
    beats = np.arange(50, num_samples, 80)
    wave = np.exp(-0.5 * ((time - beats) / 1.5) ** 2).sum(axis=1)
    heights = [height if lead == "II" else height / 2 for lead in ptbxl.LEADS]
    folder.mkdir(parents=True, exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=fs,
        units=["mV"] * 12,
        sig_name=list(ptbxl.LEADS),
        p_signal=wave[:, None] * heights,
        fmt=["16"] * 12,
        adc_gain=[1000] * 12,
        baseline=[0] * 12,
        write_dir=str(folder),
    )


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "ptbxl"
    data.mkdir()
    write_table(
        data / "scp_statements.csv",
        ("", "diagnostic", "diagnostic_class"),
        STATEMENTS,
    )
    rows = []
    for number, (fold, patient, codes) in enumerate(RECORDS, 1):
        path = f"records100/00000/{number:05d}_lr"
        rows.append((number, patient, codes, fold, path))
        write_record(data / "records100/00000", f"{number:05d}_lr")
    write_table(
        data / "ptbxl_database.csv",
        ("ecg_id", "patient_id", "scp_codes", "strat_fold", "filename_lr"),
        rows,
    )
    return data


def test_every_diagnostic_statement_counts_whatever_its_likelihood(folder):
    train = ptbxl.load("train", data_dir=folder)
    assert train.y.tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    assert train.groups.tolist() == [15709, 13243]


def test_a_record_may_have_several_superclasses(folder):
    # The second record of the fold has a rhythm alone, and is left out.
    validation = ptbxl.load("validation", data_dir=folder)
    assert validation.multi_label
    assert validation.y.tolist() == [[0, 0, 1, 0, 1]]


def test_windows_hold_ten_seconds_of_twelve_leads(folder):
    part = ptbxl.load("test", data_dir=folder)
    assert part.x.shape == (1, 1000, 12)
    assert (part.classes, part.fs) == (ptbxl.CLASSES, 100.0)


def test_one_lead_is_that_of_its_name(folder):
    every = ptbxl.load("test", data_dir=folder).x
    second = ptbxl.load_lead_ii("test", data_dir=folder).x
    assert second.shape == (1, 1000, 1)
    np.testing.assert_array_equal(second[..., 0], every[..., 1])
    assert second.max() > 1.8 * every[..., 0].max()


def test_heights_stay_what_they_are(folder):
    path = folder / "records100/00000"
    write_record(path, "00005_lr", height=1.0)
    write_record(path, "00004_lr", height=2.0)
    low, high = (
        ptbxl.read_record(path / name, ["II"])
        for name in ("00005_lr", "00004_lr")
    )
    np.testing.assert_allclose(high, 2 * low, atol=0.01)
    expected = wfdb.rdrecord(str(path / "00005_lr")).p_signal[:, 1]
    expected = features.band_limit(expected, 100.0) * ptbxl.GAIN
    np.testing.assert_allclose(low[:, 0], expected, atol=1e-6)


def test_beyond_three_millivolts_is_clipped(folder):
    path = folder / "records100/00000"
    write_record(path, "00005_lr", height=9.0)
    assert ptbxl.read_record(path / "00005_lr", ["II"]).max() == ptbxl.CLIP


def test_a_split_downloads_what_it_needs(folder, tmp_path, monkeypatch):
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()} "
        f"{path.relative_to(folder).as_posix()}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    (folder / "SHA256SUMS.txt").write_text("\n".join(sums))
    monkeypatch.setattr(ptbxl, "URL", folder.as_uri())
    copy = tmp_path / "copy"
    loaded = ptbxl.load("test", data_dir=copy, download=True)
    assert len(loaded) == 1
    assert {path.name for path in copy.rglob("*.*")} == {
        "ptbxl_database.csv",
        "scp_statements.csv",
        "00005_lr.hea",
        "00005_lr.dat",
    }
    monkeypatch.setattr(ptbxl, "URL", "file:///nowhere")
    assert len(ptbxl.load("test", data_dir=copy, download=True)) == 1


def test_the_folds_are_those_of_the_authors():
    folds = [fold for split in splits.SPLITS for fold in ptbxl.FOLDS[split]]
    assert folds == list(range(1, 11))


@pytest.mark.parametrize("suffix", ["hea", "dat"])
def test_a_missing_file_is_named(suffix, folder):
    (folder / f"records100/00000/00005_lr.{suffix}").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        ptbxl.load("test", data_dir=folder)
    assert f"records100/00000/00005_lr.{suffix}" in str(caught.value)
    assert "download=True" in str(caught.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="ptbxl_database.csv, scp_stat"):
        ptbxl.load("test", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{'NORM': 80.0}", "{'NORM': 80"),
        ("strat_fold", "fold"),
        (",10,", ",ten,"),
        ("17014.0", "nobody"),
    ],
)
def test_a_damaged_table_is_one_clear_error(old, new, folder):
    path = folder / "ptbxl_database.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match="Expected the tables of PTB-XL"):
        ptbxl.load("test", data_dir=folder)


def test_a_table_without_the_fold_is_refused(folder):
    path = folder / "ptbxl_database.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(ValueError, match=r"folds \[10\].*none"):
        ptbxl.load("test", data_dir=folder)


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({"num_samples": 5000, "fs": 500}, "5000 samples at 500 Hz"),
        ({"num_samples": 900}, "900 samples at 100 Hz"),
    ],
)
def test_a_record_of_another_length_is_refused(changes, received, folder):
    path = folder / "records100/00000"
    write_record(path, "00005_lr", **changes)
    with pytest.raises(ValueError, match=f"'00005_lr'.*{received}"):
        ptbxl.load("test", data_dir=folder)


def test_a_truncated_record_is_named(folder):
    path = folder / "records100/00000/00005_lr.dat"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="'00005_lr'.*download=True"):
        ptbxl.load("test", data_dir=folder)


@pytest.mark.parametrize("leads", [(), ("MLII",)])
def test_unknown_leads_are_refused(leads, folder):
    with pytest.raises(ValueError, match="Expected `leads`.*Received"):
        ptbxl.load("test", data_dir=folder, leads=leads)


def test_an_unknown_split_is_refused(folder):
    with pytest.raises(ValueError, match="'train', 'validation' or 'test'"):
        ptbxl.load("11", data_dir=folder)
