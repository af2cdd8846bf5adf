"""keras: Adam on a bfloat16 variable does not move, since beta_2 = 0.999 is 1 in bfloat16 and 1 - beta_2**t is 0."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

x = keras.Variable([1.0, 2.0], dtype="bfloat16")
optimizer = keras.optimizers.Adam(learning_rate=0.1)
optimizer.build([x])
for _ in range(10):
    optimizer.apply([keras.ops.ones(2, dtype="bfloat16")], [x])
moved = 1.0 - float(keras.ops.convert_to_numpy(x.value)[0])
print(f"after 10 steps with learning_rate=0.1 and gradients of 1 it has moved by {moved}, where 1.0 is right")
sys.exit(int(moved < 0.5))
