"""Functions of a step length, with slopes; and a player of line searches that re-evaluates what they accept."""

import math

import numpy as np

from arrayopt.secondorder.line_search import Line


def more_thuente(number):
    """Return one of the six test functions of More and Thuente, section 5."""
    return (_rational, _quintic, _oscillating, *(_yanai(*b) for b in ((1e-3, 1e-3), (1e-2, 1e-3), (1e-3, 1e-2))))[
        number - 1
    ]


def _rational(a, beta=2.0):
    return -a / (a * a + beta), (a * a - beta) / (a * a + beta) ** 2


def _quintic(a, beta=0.004):
    b = a + beta
    return b**5 - 2 * b**4, 5 * b**4 - 8 * b**3


def _oscillating(a, beta=0.01, waves=39):
    if a <= 1 - beta:
        f, slope = 1 - a, -1.0
    elif a >= 1 + beta:
        f, slope = a - 1, 1.0
    else:
        f, slope = (a - 1) ** 2 / (2 * beta) + beta / 2, (a - 1) / beta
    angle = waves * math.pi / 2 * a
    return f + 2 * (1 - beta) / (waves * math.pi) * math.sin(angle), slope + (1 - beta) * math.cos(angle)


def _yanai(b1, b2):
    left, right = (math.sqrt(1 + b * b) - b for b in (b1, b2))

    def phi(a):
        u, v = math.hypot(1 - a, b2), math.hypot(a, b1)
        return left * u + right * v, left * (a - 1) / u + right * a / v

    return phi


def smooth(seed):
    """Return a smooth function, bounded below and not convex, that falls at 0: a parabola and waves."""
    rng = np.random.default_rng(seed)
    scale, length = 10.0 ** rng.uniform(-3, 3, 2)
    size, rate, phase = rng.uniform(0, 1, 5), rng.uniform(0.3, 6, 5), rng.uniform(0, 2 * math.pi, 5)

    def phi(a):
        t = a / length
        f = 0.1 * t * t + float(size @ np.sin(rate * t + phase))
        slope = 0.2 * t + float((size * rate) @ np.cos(rate * t + phase))
        return scale * f, scale * slope / length

    falls = phi(0.0)[1] < 0

    def turned(a):
        f, slope = phi(a if falls else -a)
        return f, slope if falls else -slope

    return turned


def play(rule, phi, first, eps=2.0**-52):
    """Run a rule on phi; return the step that it accepts, and its trials, none of which may come twice."""
    f0, slope0 = phi(0.0)
    trials, seen = rule.trials(Line(f0, slope0, abs(f0), eps), first), []
    try:
        a = next(trials)
        while True:
            assert a > 0
            assert a not in seen, "a rule evaluates no point twice"
            seen.append(a)
            a = trials.send(phi(a))
    except StopIteration as accepted:
        a = accepted.value
    values = [phi(x)[0] for x in seen]
    assert a == seen[-1] or phi(a)[0] == min(values), "the driver keeps the last point, and the one of least value"
    return a, seen


def armijo(phi, a, c1):
    (f0, slope0), (f, _) = phi(0.0), phi(a)
    return f <= f0 + c1 * a * slope0
