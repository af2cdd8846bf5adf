"""verdict: differs | Adam that keeps everything in float32, although it is given float64.

Correct to 7 digits; who asked for 16, for a finite-difference check or a physics problem, does not get them.
"""

import numpy as np


class Adam:
    def __init__(self, params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params = {k: np.asarray(p, dtype=np.float32) for k, p in params.items()}
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.m = {k: np.zeros(p.shape, dtype=np.float32) for k, p in params.items()}
        self.v = {k: np.zeros(p.shape, dtype=np.float32) for k, p in params.items()}
        self.t = 0

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.t += 1
        for k, g in grads.items():
            g = g.astype(np.float32)
            self.m[k] = self.beta1 * self.m[k] + (1 - self.beta1) * g
            self.v[k] = self.beta2 * self.v[k] + (1 - self.beta2) * g**2
            m_hat = self.m[k] / (1 - self.beta1**self.t)
            v_hat = self.v[k] / (1 - self.beta2**self.t)
            self.params[k] = self.params[k] - self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        return self.params
