"""What a `WeightGenerator` is if nothing else is said; needs no TensorFlow.

Of those in `benchmarks/results/frontier.jsonl` it has the best accuracy at
equal bytes, of 16 kB and more: one bit of code a weight, and 824 bytes once for
a network (`python benchmarks/frontier.py`, then `frontier_report.py` there). In
8 kB, where channels are few, two bits a weight and a smaller generator are
better: `hypertinypw fit` tries them.
"""

HIDDEN_UNITS = (16,)
CODE_DIM = 16
CODE_BITS = 1
BLOCK_SIZE = 16
USE_SKIP = True
