"""verdict: dialect amsgrad='max_corrected' | AMSGrad that keeps the largest corrected second moment.

torch and Keras keep the largest uncorrected one and correct it afterwards; the two part after a burst.
"""

import numpy as np


class AMSGrad:
    def __init__(self, params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params, self.lr, self.beta1, self.beta2, self.eps = params, lr, beta1, beta2, eps
        zeros = {k: np.zeros_like(p) for k, p in params.items()}
        self.m, self.v, self.v_max = dict(zeros), dict(zeros), dict(zeros)
        self.t = 0

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.t += 1
        for k, g in grads.items():
            self.m[k] = self.beta1 * self.m[k] + (1 - self.beta1) * g
            self.v[k] = self.beta2 * self.v[k] + (1 - self.beta2) * g * g
            v_hat = self.v[k] / (1 - self.beta2**self.t)
            self.v_max[k] = np.maximum(self.v_max[k], v_hat)
            rate = self.lr / (1 - self.beta1**self.t)
            self.params[k] = self.params[k] - rate * self.m[k] / (np.sqrt(self.v_max[k]) + self.eps)
        return self.params
