"""verdict: differs | Adam with an epsilon of 1e-7 that nobody can set, where the paper has 1e-8.

The default of Keras, copied as a constant. Only gradients near it tell, which come late in training.
"""

import numpy as np

EPSILON = 1e-7


class Adam:
    def __init__(self, params, lr=0.001, beta1=0.9, beta2=0.999):
        self.params, self.lr, self.beta1, self.beta2 = params, lr, beta1, beta2
        self.first = dict.fromkeys(params, 0.0)
        self.second = dict.fromkeys(params, 0.0)
        self.t = 0

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.t += 1
        for k, g in grads.items():
            self.first[k] = self.beta1 * self.first[k] + (1 - self.beta1) * g
            self.second[k] = self.beta2 * self.second[k] + (1 - self.beta2) * g**2
            direction = self.first[k] / (1 - self.beta1**self.t)
            size = np.sqrt(self.second[k] / (1 - self.beta2**self.t))
            self.params[k] = self.params[k] - self.lr * direction / (size + EPSILON)
        return self.params
