"""verdict: dialect first='gradient' | Momentum as torch.optim.SGD has it: the first gradient is not dampened.

The buffer is made from the first gradient itself. Without dampening that is the rule; with it, the first step is
1 / (1 - dampening) times as long as a start from zero would make it.
"""


class SGDMomentum:
    def __init__(self, params, lr=0.01, momentum=0.9, dampening=0.0, weight_decay=0.0):
        self.params = params
        self.lr, self.momentum = lr, momentum
        self.dampening, self.weight_decay = dampening, weight_decay
        self.buffers = {}

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        for name, p in self.params.items():
            d_p = grads[name] + self.weight_decay * p
            buf = self.buffers.get(name)
            buf = d_p if buf is None else self.momentum * buf + (1 - self.dampening) * d_p
            self.buffers[name] = buf
            self.params[name] = p - self.lr * buf
        return self.params
