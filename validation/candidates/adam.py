"""verdict: conforms | Adam with its means moved towards the gradient (the "lerp" order of operations).

A class with a dict of arrays for each mean, as in many courses. `m += (1 - b) * (g - m)` is the running mean
with one product less; it rounds differently, and that is all.
"""

import numpy as np


class Adam:
    def __init__(self, params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params = params
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}
        self.t = 0

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.t += 1
        rate = self.lr / (1 - self.beta1**self.t)
        for name, g in grads.items():
            m, v = self.m[name], self.v[name]
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g**2 - v)
            self.params[name] -= rate * m / (np.sqrt(v / (1 - self.beta2**self.t)) + self.eps)
        return self.params
