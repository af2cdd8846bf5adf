"""keras: 0.999 is 1 in bfloat16, and 1 - beta_2**t is 0: a bfloat16 variable does not move, or becomes NaN."""

import math
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

name = sys.argv[1] if len(sys.argv) > 1 else "Adam"
x = keras.Variable([1.0, 2.0], dtype="bfloat16")
optimizer = getattr(keras.optimizers, name)(learning_rate=0.1)
optimizer.build([x])
for _ in range(10):
    optimizer.apply([keras.ops.ones(2, dtype="bfloat16")], [x])
moved = 1.0 - float(keras.ops.convert_to_numpy(x.value)[0])
print(f"keras {keras.version()} {name}, ten steps at learning_rate=0.1 on gradients of 1: it has moved by {moved}")
sys.exit(int(moved == 0 or math.isnan(moved)))
