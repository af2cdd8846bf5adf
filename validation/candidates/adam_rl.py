"""verdict: dialect eps_place='hat' | Adam on one flat vector with both corrections in the step size, as in RL code.

The form of the end of section 2 of the paper, which reinforcement learning and evolution strategies hand on from
repository to repository. Epsilon is then not divided by the correction: it counts 31 times as much at the first step.
"""

import numpy as np


class FlatAdam:
    def __init__(self, params: list, lr, beta1=0.9, beta2=0.999, eps=1e-8):
        self.shapes = [p.shape for p in params]
        self.theta = np.concatenate([p.ravel() for p in params])
        self.stepsize, self.beta1, self.beta2, self.epsilon = lr, beta1, beta2, eps
        self.m = np.zeros(self.theta.size)
        self.v = np.zeros(self.theta.size)
        self.t = 0

    def set(self, lr):
        self.stepsize = lr

    def step(self, grads):
        g = np.concatenate([x.ravel() for x in grads])
        self.t += 1
        a = self.stepsize * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * (g * g)
        self.theta = self.theta - a * self.m / (np.sqrt(self.v) + self.epsilon)
        ends = np.cumsum([np.prod(s) for s in self.shapes])
        return [x.reshape(s) for x, s in zip(np.split(self.theta, ends[:-1]), self.shapes, strict=True)]
