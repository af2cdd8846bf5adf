"""verdict: differs | Adam whose step counter advances once for each leaf instead of once for each step.

With one parameter array nobody notices; with three, the bias corrections of the first step are those of steps
1, 2 and 3, and a leaf's path depends on its place in the list.
"""

import numpy as np


class Adam:
    def __init__(self, params, lr=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params, self.lr, self.b1, self.b2, self.eps = params, lr, beta1, beta2, eps
        self.m = [np.zeros(p.shape) for p in params]
        self.v = [np.zeros(p.shape) for p in params]
        self.t = 0

    def _update(self, i, g):
        self.t += 1
        self.m[i] = self.b1 * self.m[i] + (1 - self.b1) * g
        self.v[i] = self.b2 * self.v[i] + (1 - self.b2) * g**2
        mhat = self.m[i] / (1 - self.b1**self.t)
        vhat = self.v[i] / (1 - self.b2**self.t)
        self.params[i] = self.params[i] - self.lr * mhat / (np.sqrt(vhat) + self.eps)

    def step(self, grads):
        for i, g in enumerate(grads):
            self._update(i, g)
        return self.params
