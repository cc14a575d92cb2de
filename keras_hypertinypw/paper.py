"""What the paper "HyperTinyPW" claims, by data set.

Shaalan, "Once-for-All Channel Mixers (HyperTinyPW): Generative Compression
for TinyML", MLSys 2026, arXiv 2603.24916. The figures are those of its
abstract; they are shown beside what is measured, and used for nothing else.
"""

from __future__ import annotations

import dataclasses

_TWO_NETWORKS = (
    "two different architectures, of about 1.4 MB and 225 kB, a byte counted "
    "for each parameter instead of the file, and a split of its own."
)


@dataclasses.dataclass(frozen=True)
class Claim:
    """A row of the paper.

    Attributes:
        metric: Name of the score, as in a run's result.
        score: What the paper says of it.
        smaller: What the paper says of bytes.
        protocol: How it is measured here.
        difference: How the paper measured instead.
    """

    metric: str
    score: str
    smaller: str
    protocol: str
    difference: str


def _ecg(metric: str, protocol: str) -> Claim:
    return Claim(metric, ">= 95%", "6.31x smaller", protocol, _TWO_NETWORKS)


CLAIMS = {
    "mitdb": _ecg(
        "macro_f1_4_classes",
        "de Chazal's inter-patient split, four classes",
    ),
    "apnea_ecg": _ecg("macro_f1", "35 nights train, 35 test, per minute"),
    "ptbxl": _ecg(
        "macro_f1", "folds 1 to 8, 9 and 10, five superclasses as labels"
    ),
    "speech_commands": Claim(
        "accuracy",
        "0.962",
        "not said",
        "the official test list, 12 classes",
        "96.2 % on the test set (98.2 % on validation, at best) of one "
        "generated network; the split and the classes are not in the abstract.",
    ),
}
