"""verdict: differs | Lion that updates its mean before it takes the sign, as Adam would.

The gradient then enters twice. Signs change only where mean and gradient are at odds, so a loss curve looks right.
"""

import numpy as np


class Lion:
    def __init__(self, params, lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0.0):
        self.params = params
        self.lr, self.beta1, self.beta2, self.wd = lr, beta1, beta2, weight_decay
        self.exp_avg = {k: np.zeros_like(p) for k, p in params.items()}

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        for k, grad in grads.items():
            self.params[k] *= 1 - self.lr * self.wd
            self.exp_avg[k] = self.beta2 * self.exp_avg[k] + (1 - self.beta2) * grad
            update = self.beta1 * self.exp_avg[k] + (1 - self.beta1) * grad
            self.params[k] -= self.lr * np.sign(update)
        return self.params
