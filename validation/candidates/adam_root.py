"""verdict: dialect eps_place='root_corrected' | Adam with epsilon inside the root.

Often written by analogy with RMSProp, or to keep the derivative of the root finite. At the default 1e-8 this
epsilon acts like 1e-4 outside: small gradients move far less.
"""

import numpy as np


class AdamOptimizer:
    def __init__(self, params, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params, self.lr, self.betas, self.eps = params, lr, (beta1, beta2), eps
        self.moments = {k: (0.0, 0.0) for k in params}
        self.iteration = 0

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.iteration += 1
        b1, b2 = self.betas
        for k in self.params:
            m, v = self.moments[k]
            m = b1 * m + (1 - b1) * grads[k]
            v = b2 * v + (1 - b2) * grads[k] ** 2
            self.moments[k] = m, v
            m_hat = m / (1 - b1**self.iteration)
            v_hat = v / (1 - b2**self.iteration)
            self.params[k] = self.params[k] - self.lr * m_hat / np.sqrt(v_hat + self.eps)
        return self.params
