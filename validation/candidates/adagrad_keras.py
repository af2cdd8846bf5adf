"""verdict: dialect initial=0.1, eps_place='inside' | Adagrad as Keras and optax have it: the sum starts at 0.1.

The paper's sum starts at zero, which makes the first step of every coordinate a full one.
"""

import numpy as np


class Adagrad:
    def __init__(self, leaves, lr=0.001, eps=1e-7):
        self.leaves, self.lr, self.eps = leaves, lr, eps
        self.sums = [np.full(p.shape, 0.1) for p in leaves]

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        for i, g in enumerate(grads):
            self.sums[i] = self.sums[i] + g**2
            self.leaves[i] = self.leaves[i] - self.lr * g / np.sqrt(self.sums[i] + self.eps)
        return self.leaves
