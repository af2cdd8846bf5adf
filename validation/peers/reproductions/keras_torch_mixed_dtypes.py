"""keras.optimizers.Adam on torch: how a float32 variable moves depends on the dtype of the variable before it."""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"
import keras


def step(dtypes):
    variables = [keras.Variable(keras.ops.zeros(2), dtype=d) for d in dtypes]
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(variables)
    optimizer.apply([keras.ops.ones(2, dtype=d) for d in dtypes], variables)
    return float(keras.ops.convert_to_numpy(variables[dtypes.index("float32")].value)[0])


first, second = step(["float32", "bfloat16"]), step(["bfloat16", "float32"])
print(
    f"keras {keras.version()}: the float32 variable moves by {first} when it is first, by {second} after a bfloat16 one"
)
sys.exit(abs(first - second) > 0.01)
