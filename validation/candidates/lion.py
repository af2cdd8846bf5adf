"""verdict: conforms | Lion, one function of one leaf mapped over a dict.

A port of the paper's algorithm 2; decay beside the sign, and the mean updated after it was used.
"""

import numpy as np


def _leaf(p, g, m, lr, beta1, beta2, weight_decay):
    direction = np.sign(beta1 * m + (1 - beta1) * g)
    m = beta2 * m + (1 - beta2) * g
    return p - lr * (direction + weight_decay * p), m


class Lion:
    def __init__(self, params, lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0.0):
        self.params, self.hyper = params, dict(lr=lr, beta1=beta1, beta2=beta2, weight_decay=weight_decay)
        self.means = {k: np.zeros_like(p) for k, p in params.items()}

    def set(self, **hyper):
        self.hyper.update(hyper)

    def step(self, grads):
        for k, p in self.params.items():
            self.params[k], self.means[k] = _leaf(p, grads[k], self.means[k], **self.hyper)
        return self.params
