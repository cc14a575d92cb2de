"""Runs the command line as `python -m keras_hypertinypw`."""

import sys

from keras_hypertinypw.cli import main

sys.exit(main())
