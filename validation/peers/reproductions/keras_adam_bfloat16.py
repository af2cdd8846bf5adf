"""keras.optimizers.Adam never moves a bfloat16 variable: 1 - beta_2 is computed in bfloat16, where 0.999 is 1."""

import sys

import keras

moved = {}
for dtype in ("float32", "bfloat16"):
    v = keras.Variable(keras.ops.zeros(2), dtype=dtype)
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build([v])
    for _ in range(5):
        optimizer.apply([keras.ops.ones(2, dtype=dtype)], [v])
    moved[dtype] = float(keras.ops.convert_to_numpy(keras.ops.cast(v.value, "float32"))[0])
print(f"keras {keras.version()}, Adam(0.1), five gradients of 1: {moved}")
sys.exit(abs(moved["bfloat16"] - moved["float32"]) > 0.1)
