import pytest

from keras_hypertinypw.datasets import splits


def patients(split):
    return {splits.mitdb_patient(name) for name in splits.mitdb_records(split)}


def test_splits_have_the_records_of_the_protocol():
    sizes = [len(splits.mitdb_records(split)) for split in splits.SPLITS]
    assert sizes == [16, 6, 22]
    assert "208" in splits.mitdb_records("train")
    train_and_validation = splits.mitdb_records("train") + splits.mitdb_records(
        "validation"
    )
    assert sorted(train_and_validation) == sorted(splits.DS1)


def test_no_record_is_used_twice_and_none_is_paced():
    used = [n for split in splits.SPLITS for n in splits.mitdb_records(split)]
    assert len(set(used)) == len(used) == 44
    assert not set(used) & set(splits.PACED)


def test_only_the_patient_of_201_and_202_is_in_two_splits():
    # The one known overlap of the de Chazal protocol; see `splits`.
    assert patients("train") & patients("test") == {"201"}
    assert not patients("validation") & (patients("train") | patients("test"))


def test_every_test_record_is_its_own_patient():
    assert len(patients("test")) == 22


def test_unknown_split_names_the_known_ones():
    with pytest.raises(ValueError, match="'validation'.*split='val'"):
        splits.mitdb_records("val")
