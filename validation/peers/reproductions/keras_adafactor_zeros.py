"""keras.optimizers.Adafactor: a gradient with one row and one column of zeros makes the whole variable NaN."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras
import numpy as np

w = keras.Variable(np.ones((3, 3), "float32"))
g = np.ones((3, 3), "float32")
g[0] = g[:, 0] = 0  # a dead unit and a dead input
optimizer = keras.optimizers.Adafactor()
optimizer.build([w])
optimizer.apply([keras.ops.convert_to_tensor(g)], [w])
after = keras.ops.convert_to_numpy(w.value)
print(f"keras {keras.version()}, Adafactor, one step:\n{after}")
sys.exit(bool(np.isnan(after).any()))
