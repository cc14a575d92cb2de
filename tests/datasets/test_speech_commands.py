import dataclasses
import hashlib
import io
import tarfile

import numpy as np
import pytest
import range_server
import real_data
import speech_folders

from keras_hypertinypw.datasets import (
    archives,
    mfcc,
    speech_clips,
    speech_commands,
    wav_files,
)
from keras_hypertinypw.datasets.splits import SPLITS

OTHERS = ("bed", "cat")
NOISES = ("doing_the_dishes", "white_noise")
MEAN = 1e-5  # Of some thousand float32 values around 0.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two clips of training, one of validation and test for each word."""
    folder = tmp_path_factory.mktemp("speech") / "speech_commands"
    words = (*speech_commands.KEYWORDS, *OTHERS)
    names = speech_folders.write_words(folder, words, "abcd")
    speech_folders.write_lists(folder, names, validation="c", test="d")
    for seed, noise in enumerate(NOISES):
        path = folder / "_background_noise_" / f"{noise}.wav"
        speech_folders.write_wav(path, 160_000, seed=1000 + seed)
    return folder


@pytest.fixture
def words(tmp_path):
    """A folder of two words, to damage."""
    names = speech_folders.write_words(tmp_path, ["no", "yes"], "abc")
    speech_folders.write_lists(tmp_path, names, validation="b", test="c")
    return tmp_path


ANY_WORDS = speech_commands.SpeechFolder("words")


@pytest.mark.parametrize(
    ("split", "per_word", "extra"),
    [("train", 2, 2), ("validation", 1, 1), ("test", 1, 1)],
)
def test_others_are_a_tenth_of_the_keywords(folder, split, per_word, extra):
    loaded = speech_commands.load(split, data_dir=folder)
    assert loaded.class_counts() == {
        **dict.fromkeys(speech_commands.KEYWORDS, per_word),
        "unknown": extra,
        "silence": extra,
    }
    assert loaded.x.shape == (10 * per_word + 2 * extra, 49, 10, 1)
    assert loaded.fs == 50


def test_groups_are_speakers_or_recordings_of_noise(folder):
    loaded = speech_commands.load("train", data_dir=folder)
    silence = loaded.y == loaded.classes.index("silence")
    assert set(loaded.groups[~silence]) == {"a", "b"}
    assert set(loaded.groups[silence]) <= {
        f"_background_noise_/{noise}" for noise in NOISES
    }


def test_equal_folders_give_equal_draws(folder):
    first, again = (
        speech_commands.load("train", data_dir=folder) for _ in range(2)
    )
    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.groups, again.groups)


def test_unknown_is_drawn_from_other_words(folder):
    unknown = dataclasses.replace(ANY_WORDS, name="others", words=OTHERS).load(
        "test", data_dir=folder
    )
    loaded = speech_commands.load("test", data_dir=folder)
    drawn = loaded.x[loaded.y == loaded.classes.index("unknown")]
    # Both are standardized, by different clips.
    correlations = [
        np.corrcoef(drawn[0, ..., 0].T, x[..., 0].T).diagonal(10).min()
        for x in unknown.x
    ]
    assert sorted(np.array(correlations) > 0.999) == [False, True]


def test_without_others_other_words_are_left_out(folder):
    data = speech_commands.SpeechFolder("two", ("yes", "no"))
    loaded = data.load("train", data_dir=folder)
    assert loaded.class_counts() == {"yes": 2, "no": 2}


def test_all_words_of_a_folder_are_its_classes(folder):
    loaded = ANY_WORDS.load("test", data_dir=folder)
    assert loaded.classes == tuple(sorted((*speech_commands.KEYWORDS, *OTHERS)))
    assert loaded.groups.tolist() == ["d"] * 12


def test_coefficients_are_standardized_by_the_training_clips(folder):
    train = speech_commands.load("train", data_dir=folder).x
    np.testing.assert_allclose(train.mean((0, 1)), 0, atol=MEAN)
    np.testing.assert_allclose(train.std((0, 1)), 1, atol=MEAN)
    test = speech_commands.load("test", data_dir=folder).x
    assert np.abs(test.mean((0, 1))).max() > 100 * MEAN


def test_splits_draw_silence_from_parts_of_their_own(folder):
    spans = []
    for split in SPLITS:
        rng = np.random.default_rng(0)
        clips = speech_clips.silence(folder, split, 500, rng)
        starts = [clip.start for clip in clips]
        spans.append((min(starts), max(starts) + mfcc.CLIP_SAMPLES))
        assert 0.9 < max(clip.volume for clip in clips) < 1
    assert spans[0][1] <= spans[1][0] and spans[1][1] <= spans[2][0]
    assert spans[2][1] <= 160_000


def test_silence_is_noise_at_its_volume(folder, monkeypatch):
    seen = []
    monkeypatch.setattr(
        mfcc, "mfcc", lambda x: seen.append(x) or np.zeros((len(x), 49, 10))
    )
    noise = "_background_noise_/white_noise.wav"
    clip = speech_clips.Clip(noise, "silence", "", start=150, volume=0.25)
    speech_clips.features(folder, [clip], "silence")
    expected = 0.25 * wav_files.read_wav(folder / noise)[150:16_150]
    np.testing.assert_array_equal(seen[0][0], expected)


def test_short_clips_are_padded_and_long_ones_cut(words):
    samples = speech_folders.write_wav(words / "no/c_nohash_0.wav", 9000)
    speech_folders.write_wav(words / "yes/c_nohash_0.wav", 20_000)
    clips = [
        speech_clips.Clip(f"{word}/c_nohash_0.wav", word, "c")
        for word in ("no", "yes")
    ]
    short, long = speech_clips.features(words, clips, "lengths")
    padded = np.pad(samples / np.float32(32_768), (0, 7000))
    cut = wav_files.read_wav(words / "yes/c_nohash_0.wav")[:16_000]
    np.testing.assert_array_equal(short, mfcc.mfcc(padded[np.newaxis])[0])
    np.testing.assert_array_equal(long, mfcc.mfcc(cut[np.newaxis])[0])


def test_files_are_read_again_only_when_they_change(words, monkeypatch):
    first = ANY_WORDS.load("train", data_dir=words)
    path = words / "yes/a_nohash_0.wav"
    with monkeypatch.context() as patch:
        patch.delattr(wav_files, "read_wav")
        again = ANY_WORDS.load("train", data_dir=words)
    np.testing.assert_array_equal(first.x, again.x)
    speech_folders.write_wav(path, 15_000)
    changed = ANY_WORDS.load("train", data_dir=words)
    assert not np.array_equal(first.x, changed.x)


def test_a_bad_clip_is_named(words):
    speech_folders.write_wav(words / "yes/c_nohash_0.wav", fs=8000)
    with pytest.raises(ValueError, match=r"yes/c_nohash_0\.wav.*8000 Hz"):
        ANY_WORDS.load("test", data_dir=words)


def test_words_that_are_missing_are_named(words):
    with pytest.raises(FileNotFoundError) as caught:
        speech_commands.load("train", data_dir=words)
    for part in (str(words), "Missing: up, down, left", "download=True"):
        assert part in str(caught.value)


@pytest.mark.parametrize("download", [False, True])
def test_an_absent_folder_without_an_address_is_named(tmp_path, download):
    with pytest.raises(FileNotFoundError, match="all words.*no address"):
        speech_commands.ARABIC.load(
            "train", data_dir=tmp_path / "none", download=download
        )


def test_missing_noise_is_named(words):
    data = speech_commands.SpeechFolder("two", ("yes",), with_others=True)
    with pytest.raises(FileNotFoundError, match="_background_noise_"):
        data.load("train", data_dir=words)


def test_short_noise_is_refused(words):
    path = words / "_background_noise_" / "tap.wav"
    speech_folders.write_wav(path, 159_999)
    data = speech_commands.SpeechFolder("two", ("yes",), with_others=True)
    with pytest.raises(ValueError, match=r"tap\.wav.*at least 10 s"):
        data.load("train", data_dir=words)


def test_a_split_without_clips_is_refused(words):
    (words / "validation_list.txt").write_text("")
    with pytest.raises(ValueError, match="clips for the split 'validation'"):
        ANY_WORDS.load("validation", data_dir=words)


def test_an_unknown_split_is_refused(words):
    with pytest.raises(ValueError, match="'train', 'validation' or 'test'"):
        ANY_WORDS.load("dev", data_dir=words)


def test_the_folder_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HYPERTINYPW_DATA", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=str(tmp_path / "speech_commands")
    ):
        speech_commands.load("test")


def test_download_makes_the_folder_once(words, tmp_path_factory):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(words, arcname=".")
    content = buffer.getvalue()
    target = tmp_path_factory.mktemp("download") / "words"
    with range_server.serve(content) as server:
        archive = archives.Archive(
            f"{server.url}words.tar.gz",
            hashlib.sha256(content).hexdigest(),
            len(content),
        )
        data = dataclasses.replace(ANY_WORDS, archive=archive)
        for _ in range(2):
            loaded = data.load("test", data_dir=target, download=True)
    assert len(server.requested) == 1
    assert loaded.class_counts() == {"no": 1, "yes": 1}


def test_there_are_35_words():
    words = speech_commands.ALL_WORDS
    assert len(words) == len(set(words)) == 35
    assert list(words) == sorted(words)
    assert set(speech_commands.KEYWORDS) < set(words)


def test_real_arabic_words_keep_speakers_apart():
    folder = real_data.require("arabic_speech_commands")
    parts = [
        speech_commands.ARABIC.load(split, data_dir=folder) for split in SPLITS
    ]
    assert parts[0].classes == (
        *("down", "left", "no", "right", "start", "stop", "up", "yes"),
    )
    for part, per_word, speakers in zip(
        parts, (180, 60, 60), (18, 6, 6), strict=True
    ):
        counts = part.class_counts()
        assert counts == dict.fromkeys(part.classes, per_word)
        assert part.x.shape == (8 * per_word, 49, 10, 1)
        assert len(set(part.groups)) == speakers
    assert len(set(np.concatenate([part.groups for part in parts]))) == 30
