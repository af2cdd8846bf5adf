"""verdict: differs | Momentum that adds its weight decay to the caller's own gradient.

Every number it returns is right. But `+=` on an array that came from outside changes it there too: a second
optimizer, a gradient norm or an accumulated gradient that is read afterwards is wrong.
"""

import numpy as np


class Momentum:
    def __init__(self, params, lr=0.01, momentum=0.9, weight_decay=0.0):
        self.params, self.lr, self.mu, self.weight_decay = params, lr, momentum, weight_decay
        self.velocity = {k: np.zeros_like(p) for k, p in params.items()}

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        for k, g in grads.items():
            g += self.weight_decay * self.params[k]
            self.velocity[k] = self.mu * self.velocity[k] + g
            self.params[k] = self.params[k] - self.lr * self.velocity[k]
        return self.params
