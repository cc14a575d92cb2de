"""Which MIT-BIH record belongs to which split: the inter-patient protocol.

De Chazal, O'Dwyer and Reilly, "Automatic classification of heartbeats using
ECG morphology and heartbeat interval features", IEEE TBME 51(7), 2004, divide
the database into DS1 (training) and DS2 (test), 22 records each. The paced
records 102, 104, 107 and 217 are left out. Six records of DS1 are this
project's validation split, always the same; 208 stays in training because it
holds 90 % of DS1's fusion beats.

Records 201 and 202 were taken from the same patient. The protocol puts 201
into DS1 and 202 into DS2, so **train and test share this one patient**. We
keep the protocol, because published numbers use it, and give both records
one group id. The 22 records of DS2 are 22 patients.
"""

from __future__ import annotations

SPLITS = ("train", "validation", "test")

DS1 = (
    *("101", "106", "108", "109", "112", "114", "115", "116", "118", "119"),
    *("122", "124", "201", "203", "205", "207", "208", "209", "215", "220"),
    *("223", "230"),
)
DS2 = (
    *("100", "103", "105", "111", "113", "117", "121", "123", "200", "202"),
    *("210", "212", "213", "214", "219", "221", "222", "228", "231", "232"),
    *("233", "234"),
)
PACED = ("102", "104", "107", "217")
VALIDATION = ("114", "118", "124", "205", "207", "223")

_SAME_PATIENT = {"202": "201"}


def check_split(split: str) -> str:
    """Returns `split`, or says which ones there are.

    Raises:
        ValueError: If `split` is none of `SPLITS`.
    """
    if split not in SPLITS:
        raise ValueError(
            "Expected `split` to be 'train', 'validation' or 'test'. "
            f"Received: split={split!r}."
        )
    return split


def mitdb_records(split: str) -> tuple[str, ...]:
    """Names of the MIT-BIH records of a split.

    Args:
        split: `"train"` (16 records), `"validation"` (6) or `"test"` (22).

    Raises:
        ValueError: If `split` is unknown.
    """
    if check_split(split) == "test":
        return DS2
    if split == "validation":
        return VALIDATION
    return tuple(name for name in DS1 if name not in VALIDATION)


def mitdb_patient(record_name: str) -> str:
    """Group id of a record: its name, except that 202 is patient 201."""
    return _SAME_PATIENT.get(record_name, record_name)
