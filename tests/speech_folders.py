"""Writes wav files, and folders of words as speech data sets have them."""

import wave

import numpy as np

SECOND = 16_000


def write_wav(
    path, num_samples=SECOND, *, fs=16_000, channels=1, width=2, seed=0
):
    """Writes noise; returns the samples of mono 16 bit files."""
    rng = np.random.default_rng(seed)
    size = num_samples * channels * width // 2
    samples = rng.integers(-3000, 3000, size).astype("<i2")
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(fs)
        file.writeframes(samples.tobytes())
    return samples


def write_words(folder, words, speakers, *, first_seed=0):
    """Writes a clip of every speaker for every word; returns their names."""
    names = []
    for word in words:
        for speaker in speakers:
            name = f"{word}/{speaker}_nohash_0.wav"
            write_wav(folder / name, seed=first_seed + len(names))
            names.append(name)
    return names


def write_lists(folder, names, validation, test):
    """Writes the lists of a split by speakers."""
    for file, speaker in (
        ("validation_list.txt", validation),
        ("testing_list.txt", test),
    ):
        lines = [f"{name}\n" for name in names if f"/{speaker}_" in name]
        (folder / file).write_text("".join(lines))
