"""verdict: dialect decay='l2' | "AdamW" that adds the decay to the gradient, which is Adam with L2.

What the AdamW paper was written against: large gradients are decayed less.
"""

from types import SimpleNamespace

import numpy as np


def adamw(params, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01):
    m = {k: np.zeros_like(p) for k, p in params.items()}
    v = {k: np.zeros_like(p) for k, p in params.items()}
    now = SimpleNamespace(lr=lr, t=0)

    def step(grads):
        now.t += 1
        for k, p in params.items():
            g = grads[k] + weight_decay * p
            m[k] = beta1 * m[k] + (1 - beta1) * g
            v[k] = beta2 * v[k] + (1 - beta2) * g**2
            m_hat, v_hat = m[k] / (1 - beta1**now.t), v[k] / (1 - beta2**now.t)
            params[k] = p - now.lr * m_hat / (np.sqrt(v_hat) + eps)
        return params

    def set_rate(lr):
        now.lr = lr

    return SimpleNamespace(step=step, set=set_rate)
