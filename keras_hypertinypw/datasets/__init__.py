"""Data sets with one interface: `datasets.<name>.load(split) -> Windows`.

Import the module of a data set by its name, for example
`from keras_hypertinypw.datasets import mitdb`; this package itself imports
none of them, so that it needs no reader of a file format.
"""

from keras_hypertinypw.datasets.windows import Windows

__all__ = ["Windows"]
