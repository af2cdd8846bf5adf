"""verdict: differs | Adam with its two decay rates swapped.

The constructor takes them in one order and the caller passes them in the other. At 0.9 and 0.999 it still trains,
with a momentum a hundred times as long as meant.
"""

import numpy as np


def adam(params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    return _Adam(params, lr, beta2, beta1, eps)


class _Adam:
    def __init__(self, params, lr, rho1, rho2, eps):
        self.params, self.lr, self.rho1, self.rho2, self.eps = params, lr, rho1, rho2, eps
        self.s = {k: np.zeros_like(p) for k, p in params.items()}
        self.r = {k: np.zeros_like(p) for k, p in params.items()}
        self.t = 0

    def step(self, grads):
        self.t += 1
        for k, g in grads.items():
            self.s[k] = self.rho1 * self.s[k] + (1 - self.rho1) * g
            self.r[k] = self.rho2 * self.r[k] + (1 - self.rho2) * g * g
            s_hat = self.s[k] / (1 - self.rho1**self.t)
            r_hat = self.r[k] / (1 - self.rho2**self.t)
            self.params[k] = self.params[k] - self.lr * s_hat / (np.sqrt(r_hat) + self.eps)
        return self.params
