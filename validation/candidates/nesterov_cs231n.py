"""verdict: dialect lr_place='inside' | Nesterov as in the notes of a well-known course, with the rate in the velocity.

The points are those of the usual form as long as the rate stays; when it drops, the old velocity keeps its length.
"""

import numpy as np


class NesterovMomentum:
    def __init__(self, params: list[np.ndarray], lr=0.01, momentum=0.9):
        self.params, self.learning_rate, self.mu = params, lr, momentum
        self.v = [np.zeros_like(x) for x in params]

    def set(self, lr):
        self.learning_rate = lr

    def step(self, grads):
        for i, (x, dx) in enumerate(zip(self.params, grads, strict=True)):
            v_prev = self.v[i]
            self.v[i] = self.mu * v_prev - self.learning_rate * dx
            self.params[i] = x - self.mu * v_prev + (1 + self.mu) * self.v[i]
        return self.params
