"""The variational bound of an integral against the integral: never more than 4.61 % below (archive 3630)."""

from typing import Any

import numpy as np

from arrayopt.theory import INTEGRAL_BOUND_RATIO, gaussian_integral_bound, integral_bound, integral_exact
from scripts.experiment import figure


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    eps = np.geomspace(1e-3, 1e6, 40 if quick else 400)
    exact, bound = integral_exact(eps), integral_bound(eps)
    made, axes = figure(1, 2, (13, 5))
    left, right = axes[0]
    left.loglog(eps, exact, lw=2, label=r"$\int e^{-x^2 - \epsilon x^4} dx$")
    left.loglog(eps, bound, "--", label="the best Gaussian's bound")
    for p in (1.0, 3.0, 30.0):
        left.loglog(eps, gaussian_integral_bound(eps, p), ":", label=f"p = {p:g}")
    left.set(title="bounds from one Gaussian each", xlabel="epsilon", ylim=(0.03, 2))
    left.legend()
    right.semilogx(eps, bound / exact, lw=2)
    right.axhline(INTEGRAL_BOUND_RATIO, color="black", ls="--", label=f"limit {INTEGRAL_BOUND_RATIO:.6f}")
    right.set(title="bound / integral", xlabel="epsilon")
    right.legend()
    return made, {"eps": eps.tolist(), "ratio": (bound / exact).tolist(), "limit": INTEGRAL_BOUND_RATIO}
