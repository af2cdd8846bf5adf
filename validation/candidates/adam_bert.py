"""verdict: dialect bias_correction='none', decay='in_update' | Adam as BERT was trained: no bias correction.

Its weight decay is added to the update, beside the moments. The missing correction makes the first steps larger
(3.2 times the rate at the defaults), which a warm-up hides.
"""

import numpy as np


class AdamWeightDecayOptimizer:
    def __init__(self, params, lr, weight_decay=0.0, beta1=0.9, beta2=0.999, eps=1e-6):
        self.params = params
        self.lr, self.weight_decay = lr, weight_decay
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.slots = {name: dict(m=np.zeros_like(p), v=np.zeros_like(p)) for name, p in params.items()}

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        for name, param in self.params.items():
            grad, slot = grads[name], self.slots[name]
            next_m = self.beta1 * slot["m"] + (1.0 - self.beta1) * grad
            next_v = self.beta2 * slot["v"] + (1.0 - self.beta2) * np.square(grad)
            update = next_m / (np.sqrt(next_v) + self.eps)
            update += self.weight_decay * param
            self.params[name] = param - self.lr * update
            slot["m"], slot["v"] = next_m, next_v
        return self.params
