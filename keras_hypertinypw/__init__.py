"""Generated pointwise kernels for small int8 networks on microcontrollers."""

from __future__ import annotations
import os
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
