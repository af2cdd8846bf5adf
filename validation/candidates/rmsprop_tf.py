"""verdict: dialect eps_place='inside', initial=1.0 | RMSProp as TensorFlow 1 had it, for ports of its papers.

Epsilon is inside the root, and the mean square starts at one instead of zero, so that the first steps are small
where others take their largest.
"""

import numpy as np


class RMSPropTF:
    def __init__(self, params, lr=0.001, rho=0.9, eps=1e-10):
        self.params, self.lr, self.rho, self.eps = params, lr, rho, eps
        self.rms = {k: np.ones_like(p) for k, p in params.items()}

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        for k, grad in grads.items():
            self.rms[k] += (np.square(grad) - self.rms[k]) * (1 - self.rho)
            self.params[k] -= self.lr * grad / np.sqrt(self.rms[k] + self.eps)
        return self.params
