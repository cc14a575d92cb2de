import hashlib

import numpy as np
import pytest
import real_data
import speech_folders

from keras_hypertinypw.datasets import clip_splits
from keras_hypertinypw.datasets.splits import SPLITS


def test_real_clips_are_split_by_the_official_rule():
    folder = real_data.require("speech_commands_v1_mfcc")
    with np.load(folder / "gsc_v1_9words_mfcc20x11.npz") as file:
        names, expected = file["files"], file["split"]
    found = [
        SPLITS.index(clip_splits.which_set(str(name).rpartition("/")[2]))
        for name in names
    ]
    np.testing.assert_array_equal(found, expected)


def test_all_clips_of_a_speaker_are_in_one_split():
    for speaker in range(100):
        found = {
            clip_splits.which_set(f"{speaker:08x}_nohash_{index}.wav")
            for index in range(5)
        }
        assert len(found) == 1


def test_a_tenth_of_the_speakers_is_validation_and_a_tenth_test():
    found = [
        clip_splits.which_set(f"{speaker:08x}_nohash_0.wav")
        for speaker in range(5000)
    ]
    # Six standard deviations of a binomial count.
    for split in ("validation", "test"):
        assert abs(found.count(split) - 500) < 6 * np.sqrt(5000 * 0.09)


def test_without_lists_the_hash_decides(tmp_path):
    speakers = [hashlib.md5(bytes([i])).hexdigest()[:8] for i in range(30)]
    names = speech_folders.write_words(tmp_path, ["yes"], speakers)
    speech_folders.write_wav(tmp_path / "_background_noise_" / "tap.wav")
    found = clip_splits.read_splits(tmp_path)
    assert sorted(sum(found.values(), [])) == sorted(names)
    for split, members in found.items():
        assert members
        for name in members:
            assert clip_splits.which_set(name.rpartition("/")[2]) == split


def test_lists_take_precedence_over_the_hash(tmp_path):
    names = speech_folders.write_words(tmp_path, ["no", "yes"], "abc")
    speech_folders.write_lists(tmp_path, names, validation="b", test="a")
    assert clip_splits.read_splits(tmp_path) == {
        "train": ["no/c_nohash_0.wav", "yes/c_nohash_0.wav"],
        "validation": ["no/b_nohash_0.wav", "yes/b_nohash_0.wav"],
        "test": ["no/a_nohash_0.wav", "yes/a_nohash_0.wav"],
    }


def write_csvs(folder, **lines):
    for split, file in clip_splits.CSV_FILES.items():
        text = lines.get(split, f"dataset/yes/{split}_01.wav,yes\n")
        (folder / file).write_text(f"file,class\n{text}")
        speech_folders.write_wav(folder / f"dataset/yes/{split}_01.wav")
    return folder


def test_csv_files_take_precedence_over_lists(tmp_path):
    write_csvs(tmp_path)
    (tmp_path / "testing_list.txt").write_text("no/such_file.wav\n")
    assert clip_splits.read_splits(tmp_path) == {
        split: [f"dataset/yes/{split}_01.wav"] for split in SPLITS
    }


def test_an_unknown_word_in_a_csv_is_refused(tmp_path):
    write_csvs(tmp_path, test="dataset/yes/test_01.wav,oui\n")
    with pytest.raises(ValueError, match=r"test\.csv.*word 'oui' in line 2"):
        clip_splits.read_splits(tmp_path)


@pytest.mark.parametrize("text", ["", "yes/a.wav,yes\n", "file,word\na,b\n"])
def test_a_csv_without_its_columns_is_refused(tmp_path, text):
    write_csvs(tmp_path)
    (tmp_path / "val.csv").write_text(text)
    with pytest.raises(ValueError, match=r"val\.csv.*columns file and class"):
        clip_splits.read_splits(tmp_path)


def test_a_line_without_a_class_is_refused(tmp_path):
    write_csvs(tmp_path, train="dataset/yes/train_01.wav\n")
    with pytest.raises(ValueError, match=r"train\.csv.*line 2 without both"):
        clip_splits.read_splits(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    write_csvs(tmp_path)
    (tmp_path / "val.csv").write_bytes(b"file,class\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"val\.csv.*UTF-8"):
        clip_splits.read_splits(tmp_path)


@pytest.mark.parametrize("file", ["train.csv", "val.csv", "test.csv"])
def test_a_missing_csv_is_named(tmp_path, file):
    write_csvs(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        clip_splits.read_splits(tmp_path)


@pytest.mark.parametrize("file", ["validation_list.txt", "testing_list.txt"])
def test_a_missing_list_is_named(tmp_path, file):
    names = speech_folders.write_words(tmp_path, ["yes"], "abc")
    speech_folders.write_lists(tmp_path, names, validation="b", test="a")
    (tmp_path / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        clip_splits.read_splits(tmp_path)


def test_clips_that_a_list_names_must_be_there(tmp_path):
    names = speech_folders.write_words(tmp_path, "vwxyz", "abc")
    speech_folders.write_lists(tmp_path, names, validation="b", test="a")
    for word in "vwxyz":
        (tmp_path / word / "b_nohash_0.wav").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"v/b_nohash_0\.wav.* and 2 more"
    ):
        clip_splits.read_splits(tmp_path)


def test_clips_that_a_csv_names_must_be_there(tmp_path):
    write_csvs(tmp_path)
    (tmp_path / "dataset/yes/test_01.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"dataset/yes/test_01\.wav"):
        clip_splits.read_splits(tmp_path)


def test_a_clip_in_two_splits_is_refused(tmp_path):
    write_csvs(tmp_path, test="dataset/yes/train_01.wav,yes\n")
    with pytest.raises(ValueError, match=r"yes/train_01\.wav' twice"):
        clip_splits.read_splits(tmp_path)


def test_a_name_tells_word_and_speaker():
    name = "dataset/zoom in/00000014_NO_01.wav"
    assert clip_splits.word_of(name) == "zoom in"
    assert clip_splits.speaker_of(name) == "00000014"
    assert clip_splits.speaker_of("yes/anna.wav") == "anna"
