"""keras: Adafactor(relative_step=False) still bounds the rate by 1 / sqrt(t), as relative_step=True does."""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras


def last(relative_step):
    x = keras.Variable([[1.0, 2.0], [3.0, 4.0]])
    optimizer = keras.optimizers.Adafactor(learning_rate=0.9, relative_step=relative_step)
    optimizer.build([x])
    for _ in range(10):
        optimizer.apply([keras.ops.ones((2, 2))], [x])
    return keras.ops.convert_to_numpy(x.value).tolist()


print(f"keras {keras.version()}: relative_step=True gives {last(True)}, relative_step=False gives {last(False)}")
sys.exit(int(last(True) == last(False)))
