"""Nesterov by hand, in 50-digit arithmetic: one function for each form, from the text that introduced it.

``python -m tests.firstorder.hand.nesterov`` prints the literals of test_nesterov.py.
"""

from collections.abc import Callable

from mpmath import mpf

from tests.firstorder.hand import GRADIENTS, P0, show

LR, MU = map(mpf, ("0.1", "0.6"))
CURVATURES = [mpf("0.5"), mpf(2), mpf(5)]


def reformulated(x: mpf, g1: mpf, g2: mpf) -> tuple[mpf, mpf]:
    """Follow torch.optim.SGD's documentation, nesterov=True."""
    b1 = g1
    x1 = x - LR * (g1 + MU * b1)
    b2 = MU * b1 + g2
    return x1, x1 - LR * (g2 + MU * b2)


def lookahead(x: mpf, g1: mpf, g2: mpf) -> tuple[mpf, mpf]:
    """Follow Sutskever and others 2013, equations 3 and 4, the gradients being given."""
    v1 = -LR * g1
    v2 = MU * v1 - LR * g2
    return x + v1, x + v1 + v2


def damped(x: mpf, g1: mpf, g2: mpf) -> tuple[mpf, mpf]:
    """Follow Keller Jordan's Muon: lerp into the buffer, then lerp of the gradient with the buffer."""
    b1 = (1 - MU) * g1
    x1 = x - LR * ((1 - MU) * g1 + MU * b1)
    b2 = b1 + (1 - MU) * (g2 - b1)
    return x1, x1 - LR * (g2 + MU * (b2 - g2))


def once_applied(x: mpf, g1: mpf, g2: mpf) -> tuple[mpf, mpf]:
    """Follow the notes of cs231n: x += -mu * v_prev + (1 + mu) * v."""
    v1 = -LR * g1
    x1 = x + (1 + MU) * v1
    v2 = MU * v1 - LR * g2
    return x1, x1 - MU * v1 + (1 + MU) * v2


def bias_corrected(x: mpf, g1: mpf, g2: mpf) -> tuple[mpf, mpf]:
    """Follow the numerator of NAdam (Dozat 2016) at a constant mu."""
    m1 = (1 - MU) * g1
    x1 = x - LR * (MU * m1 / (1 - MU**2) + (1 - MU) * g1 / (1 - MU))
    m2 = MU * m1 + (1 - MU) * g2
    return x1, x1 - LR * (MU * m2 / (1 - MU**3) + (1 - MU) * g2 / (1 - MU**2))


FORMS: dict[str, Callable[[mpf, mpf, mpf], tuple[mpf, mpf]]] = {
    f.__name__: f for f in (reformulated, lookahead, damped, once_applied, bias_corrected)
}


def two_steps(form: str) -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    columns = [FORMS[form](x, g1, g2) for x, g1, g2 in zip(P0, *GRADIENTS, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def three_steps_on_a_quadratic() -> list[list[mpf]]:
    """Return theta_1 to theta_3 of "lookahead" on sum(c theta^2) / 2, with the gradients where it wants them."""
    theta, v, path = list(P0), [mpf(0)] * 3, []
    for _ in range(3):
        g = [c * (x + MU * vi) for c, x, vi in zip(CURVATURES, theta, v, strict=True)]
        v = [MU * vi - LR * gi for vi, gi in zip(v, g, strict=True)]
        theta = [x + vi for x, vi in zip(theta, v, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    for name in FORMS:
        print(f'    "{name}":')
        show(two_steps(name))
    print("    on a quadratic:")
    show(three_steps_on_a_quadratic())
