"""thin."""

import argparse, pathlib, sys, json, time
import frontier_training
from frontier_tasks import TASKS
from frontier_contenders import CONTENDERS
import tensorflow as tf

p = argparse.ArgumentParser()
p.add_argument("--out", default="build/frontier")
p.add_argument("cells", nargs="+")
o = p.parse_args()
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
for c in o.cells:
    t, n, w, s = c.split(",")
    t0 = time.time()
    r = frontier_training.run(
        t,
        TASKS[t],
        CONTENDERS[n],
        int(w),
        int(s),
        pathlib.Path(o.out) / c.replace(",", "-"),
    )
    print(c, time.time() - t0, json.dumps(r), flush=True)
