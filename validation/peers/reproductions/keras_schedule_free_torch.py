"""keras: ScheduleFreeAdamW on torch reads the momentum after it was updated, where it wants the old one."""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np


def last(stateless):
    x = keras.Variable(np.ones(2), dtype="float32")
    optimizer = keras.optimizers.ScheduleFreeAdamW(learning_rate=0.1)
    optimizer.build([x])
    for g in ([1.0, -0.5], [0.2, 0.4], [-1.0, 0.1]):
        gradient = keras.ops.convert_to_tensor(g, dtype="float32")
        if stateless:
            values, state = optimizer.stateless_apply([v.value for v in optimizer.variables], [gradient], [x.value])
            for variable, value in zip([x, *optimizer.variables], [*values, *state], strict=True):
                variable.assign(value)
        else:
            optimizer.apply([gradient], [x])
    return keras.ops.convert_to_numpy(x.value)


eager, stateless = last(False), last(True)
print(f"apply gives {eager}, stateless_apply gives {stateless}")
sys.exit(int(not np.allclose(eager, stateless, rtol=1e-4)))
