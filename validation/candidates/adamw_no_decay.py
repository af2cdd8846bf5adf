"""verdict: differs | AdamW that takes a weight decay and forgets it.

The product is computed and its result dropped: `p * (1 - lr * wd)` without an assignment.
"""

import numpy as np


class AdamW:
    def __init__(self, params, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=1e-2):
        self.params, self.lr, self.beta1, self.beta2 = params, lr, beta1, beta2
        self.eps, self.weight_decay = eps, weight_decay
        self.m = {k: np.zeros_like(p) for k, p in params.items()}
        self.v = {k: np.zeros_like(p) for k, p in params.items()}
        self.t = 0

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.t += 1
        for k, p in self.params.items():
            np.multiply(p, 1 - self.lr * self.weight_decay)
            self.m[k] = self.beta1 * self.m[k] + (1 - self.beta1) * grads[k]
            self.v[k] = self.beta2 * self.v[k] + (1 - self.beta2) * grads[k] ** 2
            m_hat = self.m[k] / (1 - self.beta1**self.t)
            v_hat = self.v[k] / (1 - self.beta2**self.t)
            self.params[k] = p - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        return self.params
