"""Newton's method as a root finder: tangents of a real function, and the basins of the complex cube roots of one.

`python -m scripts.newton [-o DIR]` writes newton.png and newton.json.
"""

import sys
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from arrayopt import find_root
from scripts.experiment import arguments, figure, save


def f(x: np.ndarray) -> np.ndarray:
    return x**3 - 2 * x - 5  # Newton's own example


def slope(x: np.ndarray) -> np.ndarray:
    return 3 * x**2 - 2


def tangents(start: float, steps: int) -> list[float]:
    """Return the iterates from a start."""
    return [float(find_root(f, start, slope, maxiter=k, tol=0.0).x) for k in range(steps + 1)]


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments("newton", __doc__, argv)
    points = tangents(3.6, 6)
    errors = [abs(x - points[-1]) for x in points[:-2]]
    side = 120 if given.quick else 800
    u = np.linspace(-1.6, 1.6, side)
    starts = u[None, :] + 1j * u[:, None]
    found = find_root(lambda z: z**3 - 1, starts, lambda z: 3 * z**2, maxiter=60)
    roots = np.exp(2j * np.pi * np.arange(3) / 3)
    nearest = np.argmin(np.abs(found.x[..., None] - roots), axis=-1)
    made, axes = figure(1, 3, (16, 5))
    tangent, order, basins = axes[0]
    x = np.linspace(1.6, 3.7, 200)
    tangent.plot(x, f(x), "k", lw=1)
    tangent.axhline(0, color="grey", lw=0.5)
    for a, b in pairwise(points[:5]):
        tangent.plot([a, a], [0, f(np.asarray(a))], ":", color="C0", lw=0.8)
        tangent.plot([a, b], [f(np.asarray(a)), 0], "C0", lw=1)
        tangent.plot([a], [f(np.asarray(a))], "C0o", ms=4)
    tangent.set(title="x^3 - 2 x - 5: each step is where the tangent crosses zero", xlabel="x")
    order.loglog(errors[:-1], errors[1:], "o-", label="Newton")
    order.loglog(errors[:-1], np.square(errors[:-1]), "k:", label="e^2")
    order.set(title="error of a step against the error before", xlabel="e", ylabel="next e")
    order.legend()
    shade = np.where(found.converged, 1.0 - 0.75 * np.minimum(found.iterations, 20) / 20, 0.0)
    colours = np.asarray([[0.85, 0.35, 0.3], [0.3, 0.6, 0.35], [0.3, 0.45, 0.8]])
    basins.imshow(colours[nearest] * shade[..., None], origin="lower", extent=(-1.6, 1.6, -1.6, 1.6))
    basins.plot(roots.real, roots.imag, "w*", ms=10)
    basins.set(title="z^3 = 1: which root is found, darker after more steps", xlabel="real", ylabel="imaginary")
    shares = [float(np.mean(found.converged & (nearest == k))) for k in range(3)]
    data = {"iterates": points, "errors": errors, "shares of the roots": shares,
            "not converged": float(np.mean(~found.converged)), "most steps": int(found.nit)}  # fmt: skip
    save(made, data, "newton", given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
