"""Strategies that adapt a covariance, on a function of other coordinates: what an affine map of space changes."""

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Element, Numbers, Orthogonal, Real
from arrayopt.claims.margins import agreement
from arrayopt.claims.ranks import CMA, NATURAL
from arrayopt.problems import rosenbrock
from arrayopt.sampling import CMAES, XNES
from arrayopt.sampling.cma_constants import tutorial_constants

N = 3
GENERATIONS = 12
POPSIZE = 7
ROSENBROCK = rosenbrock(N).value
START: dict[str, Element] = {"x0": Numbers((N,), low=-2.0, high=2.0), "Q": Orthogonal(N)}
AFFINE: dict[str, Element] = {**START, "P": Orthogonal(N), "stretch": Numbers((N,), low=-1.5, high=1.5)}


def _map(Q: Array, P: Array, stretch: Array) -> tuple[Array, Array]:
    """Return a matrix with singular values from 0.2 to 4.5, and its inverse."""
    xp = namespace(Q, P)
    return (Q * xp.exp(stretch)[None, :]) @ P, (P.T * xp.exp(-stretch)[None, :]) @ Q.T


def _values(method: CMAES, x0: Array, A: Array, inverse: Array) -> float:
    """Compare the values of f(x) with those of f(A z) from A^-1 x0 with C = A^-1 A^-T, with the same points of chance.

    What the normal numbers made of C in the first run, they make of A^-1 C A^-T in the second.
    """
    one, two, worst = method.init(x0, seed=4), method.init(inverse @ x0, seed=4, C=inverse @ inverse.T), 0.0
    for _ in range(GENERATIONS):
        x = method.ask(one)
        z = two.mean + two.model.sigma * ((x - one.mean) / one.model.sigma @ inverse.T)
        f, g = ROSENBROCK(x), ROSENBROCK(z @ A.T)
        worst = min(worst, agreement(f, g))
        one, two = method.tell(one, x, f), method.tell(two, z, g)
    return worst


@claim(CMA, {**START, "scale": Real(0.1, 10.0, log=True)}, kind="equivalence", tolerance=1e-8)
def similarity(x0: Array, Q: Array, scale: float) -> float:
    """To CMA-ES a rotation of space with its start and C, or a change of scale, makes no difference: 12 generations."""
    return _values(CMAES(sigma=0.3, popsize=POPSIZE), x0, scale * Q, Q.T / scale)


@claim(CMA, AFFINE, kind="equivalence", tolerance=1e-8)
def without_a_step_size(x0: Array, Q: Array, P: Array, stretch: Array) -> float:
    """Nor does any affine map while the step size is not adapted."""
    constants = tutorial_constants(N, POPSIZE).replace(c_sigma=0.0)
    return _values(CMAES(sigma=0.3, popsize=POPSIZE, constants=constants), x0, *_map(Q, P, stretch))


@claim(
    CMA, AFFINE, kind="equivalence", tolerance=1e-3, expect="refuted", instead="affine_maps.without_a_step_size",
    witness={"x0": np.zeros(N), "Q": np.eye(N), "P": np.roll(np.eye(N), 1, axis=0),
             "stretch": np.array([1.5, 0.0, -1.5])},
)  # fmt: skip
def with_a_step_size(x0: Array, Q: Array, P: Array, stretch: Array) -> float:
    """Nor does it while that is: but the symmetric root of C turns the path of the step size another way."""
    return _values(CMAES(sigma=0.3, popsize=POPSIZE), x0, *_map(Q, P, stretch))


@claim(NATURAL, AFFINE, kind="equivalence", tolerance=1e-8)
def of_xnes(x0: Array, Q: Array, P: Array, stretch: Array) -> float:
    """To xNES no affine map of determinant 1 makes a difference, if its factor B is mapped along."""
    xp, method, worst = namespace(x0), XNES(sigma=0.3), 0.0
    A, inverse = _map(Q, P, stretch - xp.mean(stretch))
    one, two = method.init(x0, seed=4), method.init(inverse @ x0, seed=4)
    two = two._replace(model=two.model._replace(B=inverse))
    for _ in range(GENERATIONS):
        x, z = method.ask(one), method.ask(two)  # of the same normal numbers
        f, g = ROSENBROCK(x), ROSENBROCK(z @ A.T)
        worst = min(worst, agreement(f, g))
        one, two = method.tell(one, x, f), method.tell(two, z, g)
    return worst
