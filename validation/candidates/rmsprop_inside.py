"""verdict: dialect eps_place='inside' | RMSProp with epsilon inside the root, as in Keras, optax and the A3C paper.

With the epsilon of 0.1 that some reinforcement learning takes, a port to the other place trains otherwise.
"""

from types import SimpleNamespace

import numpy as np


def rmsprop(params, lr=7e-4, rho=0.99, eps=0.1):
    g2 = {name: 0.0 for name in params}

    def step(grads):
        for name in params:
            g2[name] = rho * g2[name] + (1 - rho) * grads[name] ** 2
            params[name] = params[name] - lr * grads[name] / np.sqrt(g2[name] + eps)
        return params

    def set_rate(**new):
        nonlocal lr
        lr = new["lr"]

    return SimpleNamespace(step=step, set=set_rate)
