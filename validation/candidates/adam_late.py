"""verdict: differs | Adam whose step count starts at 1 and is then advanced before it is used.

The first step is corrected as if it were the second: at the defaults a quarter of it is missing.
"""

import numpy as np


class Adam:
    def __init__(self, params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params = params
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.mu = {k: np.zeros_like(p) for k, p in params.items()}
        self.nu = {k: np.zeros_like(p) for k, p in params.items()}
        self.t = 1

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.t += 1
        for k in self.params:
            self.mu[k] = self.beta1 * self.mu[k] + (1 - self.beta1) * grads[k]
            self.nu[k] = self.beta2 * self.nu[k] + (1 - self.beta2) * grads[k] ** 2
            mu_hat = self.mu[k] / (1 - self.beta1**self.t)
            nu_hat = self.nu[k] / (1 - self.beta2**self.t)
            self.params[k] = self.params[k] - self.lr * mu_hat / (np.sqrt(nu_hat) + self.eps)
        return self.params
