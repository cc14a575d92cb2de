"""The value that every data set's `load` returns, and window cutting."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tqdm


@dataclasses.dataclass(frozen=True, eq=False)
class Windows:
    """Labelled windows of a signal.

    Attributes:
        x: float32 array of shape `(num_windows, samples, channels)`, or
            `(num_windows, frames, coefficients, 1)` for spectra; finite.
        y: Integer array of shape `(num_windows,)`, index into `classes`; or
            `(num_windows, num_classes)`, 1 for every class that a window
            has and 0 for the others.
        groups: Integer or string array of shape `(num_windows,)`, the patient
            or speaker of each window. Windows of one group are not
            independent.
        classes: Names of the classes.
        fs: Sampling frequency of `x`, in hertz.

    Raises:
        ValueError: If shapes, types or values do not fit together.
    """

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray
    classes: tuple[str, ...]
    fs: float

    def __post_init__(self) -> None:
        """Checks every attribute."""
        if self.x.ndim not in (3, 4) or self.x.dtype != np.float32:
            raise ValueError(
                "Expected `x` as float32 of shape (num_windows, samples, "
                "channels) or (num_windows, frames, coefficients, 1). "
                f"Received: {self.x.dtype} of shape {self.x.shape}."
            )
        if not np.isfinite(self.x).all():
            raise ValueError(
                "Expected finite values in `x`. Received: NaN or infinity; "
                "drop or repair those windows first."
            )
        num_windows = len(self.x)
        single = (num_windows,)
        several = (num_windows, len(self.classes))
        for name, kinds, shapes in (
            ("y", "iu", (single, several)),
            ("groups", "iuU", (single,)),
        ):
            array = getattr(self, name)
            if array.shape not in shapes or array.dtype.kind not in kinds:
                raise ValueError(
                    f"Expected `{name}` with one value for each of the "
                    f"{num_windows} windows, integers"
                    f"{' or strings' if 'U' in kinds else ''}. Received: "
                    f"{array.dtype} of shape {array.shape}."
                )
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError(
                "Expected `classes` as distinct names. "
                f"Received: classes={self.classes}."
            )
        largest = 1 if self.multi_label else len(self.classes) - 1
        if num_windows and not (0 <= self.y.min() and self.y.max() <= largest):
            raise ValueError(
                f"Expected `y` as an index into the {len(self.classes)} "
                "classes, or as 0 or 1 for each. Received: values from "
                f"{self.y.min()} to {self.y.max()}."
            )
        if not self.fs > 0:
            raise ValueError(
                f"Expected `fs` in hertz, above 0. Received: fs={self.fs}."
            )

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.x)

    @property
    def multi_label(self) -> bool:
        """Whether a window may have several classes, or none."""
        return self.y.ndim == 2

    def class_counts(self) -> dict[str, int]:
        """Counts the windows of each class."""
        if self.multi_label:
            counts = self.y.sum(axis=0)
        else:
            counts = np.bincount(self.y, minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))


def select(windows: Windows, chosen: np.ndarray) -> Windows:
    """Returns some of the windows.

    Args:
        windows: All of them.
        chosen: Their indices, or one bool for each.
    """
    return dataclasses.replace(
        windows,
        x=windows.x[chosen],
        y=windows.y[chosen],
        groups=windows.groups[chosen],
    )


def concatenate(parts: list[Windows]) -> Windows:
    """Joins windows of several records into one value.

    Args:
        parts: At least one; all with the same `classes` and `fs`.

    Raises:
        ValueError: If `parts` is empty or its members differ in kind.
    """
    if not parts:
        raise ValueError(
            "Expected at least one part to concatenate. Received: none."
        )
    kinds = {(part.classes, part.fs) for part in parts}
    if len(kinds) > 1:
        raise ValueError(
            "Expected parts with equal classes and sampling frequency. "
            f"Received: {sorted(kinds)}."
        )
    return Windows(
        x=np.concatenate([part.x for part in parts]),
        y=np.concatenate([part.y for part in parts]),
        groups=np.concatenate([part.groups for part in parts]),
        classes=parts[0].classes,
        fs=parts[0].fs,
    )


def load_records(
    load_one: Callable[[str, pathlib.Path], Windows],
    record_names: Sequence[str],
    folder: pathlib.Path,
    title: str,
) -> Windows:
    """Loads records one by one and joins their windows.

    Args:
        load_one: Loads a record of that name from a folder.
        record_names: At least one.
        folder: Holds them.
        title: What the progress bar says is loaded.
    """
    progress = tqdm.tqdm(
        record_names,
        desc=f"Loading {title}",
        unit="record",
        leave=False,
        disable=None,
    )
    return concatenate([load_one(name, folder) for name in progress])


def cut_around(
    signal: np.ndarray, centers: np.ndarray, num_samples: int
) -> np.ndarray:
    """Cuts one window around each center; outside `signal` counts as zero.

    Args:
        signal: Array of shape `(num_signal_samples,)`.
        centers: Sample indices into `signal`, shape `(num_windows,)`.
        num_samples: Length of a window; `signal[center]` becomes the window's
            sample `num_samples // 2`.

    Returns:
        Array of shape `(num_windows, num_samples)`, a copy.

    Raises:
        ValueError: If a center lies outside the signal.
    """
    centers = np.asarray(centers, dtype=np.int64)
    if centers.size and not (
        0 <= centers.min() and centers.max() < len(signal)
    ):
        raise ValueError(
            f"Expected `centers` within the signal's {len(signal)} samples. "
            f"Received: {centers.min()} to {centers.max()}."
        )
    before = num_samples // 2
    padded = np.pad(signal, (before, num_samples - before))
    return padded[centers[:, None] + np.arange(num_samples)]
