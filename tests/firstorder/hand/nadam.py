"""NAdam by hand: Dozat's report, with mu_t = mu (1 - 0.96^(t psi) / 2), in 50-digit arithmetic.

``python -m tests.firstorder.hand.nadam`` prints the literals of test_nadam.py.
"""

from mpmath import mpf, sqrt

from tests.firstorder.hand import GRADIENTS, P0, show

ETA, MU, NU, EPS, PSI = map(mpf, ("0.1", "0.6", "0.8", "0.05", "0.5"))


def mu_at(t: int) -> mpf:
    """Return mu_t."""
    return MU * (1 - mpf("0.5") * mpf("0.96") ** (t * PSI))


def two_steps() -> list[list[mpf]]:
    """Return theta_1 and theta_2."""
    theta, m, n, path = list(P0), [mpf(0)] * 3, [mpf(0)] * 3, []
    product = mpf(1)
    for t, g in enumerate(GRADIENTS, 1):
        product *= mu_at(t)
        m = [MU * mi + (1 - MU) * gi for mi, gi in zip(m, g, strict=True)]
        n = [NU * ni + (1 - NU) * gi**2 for ni, gi in zip(n, g, strict=True)]
        g_hat = [gi / (1 - product) for gi in g]
        m_hat = [mi / (1 - product * mu_at(t + 1)) for mi in m]
        n_hat = [ni / (1 - NU**t) for ni in n]
        m_bar = [(1 - mu_at(t)) * a + mu_at(t + 1) * b for a, b in zip(g_hat, m_hat, strict=True)]
        theta = [x - ETA * a / (sqrt(b) + EPS) for x, a, b in zip(theta, m_bar, n_hat, strict=True)]
        path.append(theta)
    return path


if __name__ == "__main__":
    show(two_steps())
