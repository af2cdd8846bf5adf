"""verdict: dialect decay_scale='independent' | AdamW whose decay is not multiplied by the learning rate.

The letter of the paper's algorithm with a schedule multiplier of 1. At torch's weight decay of 0.01 it decays a
thousand times as fast as torch does at a rate of 0.001.
"""

import numpy as np


class AdamW:
    def __init__(self, params, lr=1e-3, weight_decay=1e-5, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params, self.lr, self.wd = params, lr, weight_decay
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.m = {k: np.zeros_like(p) for k, p in params.items()}
        self.v = {k: np.zeros_like(p) for k, p in params.items()}
        self.t = 0

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.t += 1
        for k, g in grads.items():
            self.params[k] *= 1 - self.wd
            self.m[k] = self.beta1 * self.m[k] + (1 - self.beta1) * g
            self.v[k] = self.beta2 * self.v[k] + (1 - self.beta2) * np.square(g)
            m_hat = self.m[k] / (1 - self.beta1**self.t)
            v_hat = self.v[k] / (1 - self.beta2**self.t)
            self.params[k] -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        return self.params
