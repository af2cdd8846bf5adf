"""verdict: conforms | RMSProp in plain Python, without NumPy: one loop over numbers.

Numbers, not arrays, so its leaves are flattened first; nothing else is special.
"""

from math import sqrt


class RMSProp:
    def __init__(self, params: list, lr=0.001, rho=0.9, eps=1e-8):
        self.shapes = [p.shape for p in params]
        self.params = [p.ravel().tolist() for p in params]
        self.mean_square = [[0.0] * len(p) for p in self.params]
        self.lr, self.rho, self.eps = lr, rho, eps

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        for p, v, g in zip(self.params, self.mean_square, grads, strict=True):
            for i, x in enumerate(g.ravel().tolist()):
                v[i] = self.rho * v[i] + (1 - self.rho) * x * x
                p[i] -= self.lr * x / (sqrt(v[i]) + self.eps)
        return [_shaped(p, shape) for p, shape in zip(self.params, self.shapes, strict=True)]


def _shaped(numbers, shape):
    if len(shape) < 2:
        return list(numbers)
    width = shape[1]
    return [numbers[i : i + width] for i in range(0, len(numbers), width)]
