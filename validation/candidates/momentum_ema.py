"""verdict: dialect form='ema' | Momentum whose velocity is a running mean, so that its steps are a tenth as long.

The usual form in courses that introduce momentum as a moving average. It wants ten times the rate.
"""

import numpy as np

__all__ = ["Momentum"]


def initialize_velocity(params):
    return {key: np.zeros_like(value) for key, value in params.items()}


def update_parameters(params, grads, v, beta, learning_rate):
    for key in params:
        v[key] = beta * v[key] + (1 - beta) * grads[key]
        params[key] = params[key] - learning_rate * v[key]
    return params, v


class Momentum:
    def __init__(self, params, lr=0.01, momentum=0.9):
        self.params, self.lr, self.beta = params, lr, momentum
        self.v = initialize_velocity(params)

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.params, self.v = update_parameters(self.params, grads, self.v, self.beta, self.lr)
        return self.params
