"""Methods that use second derivatives or model them: line searches, Newton, quasi-Newton, conjugate gradients."""

from collections.abc import Callable, Mapping
from functools import partial

from arrayopt.core.method import Method
from arrayopt.secondorder.conjugate_gradient import ConjugateGradient
from arrayopt.secondorder.lbfgs import LBFGS
from arrayopt.secondorder.lbfgsb import LBFGSB
from arrayopt.secondorder.linear_conjugate_gradient import LinearResult, linear_cg
from arrayopt.secondorder.newton import Newton
from arrayopt.secondorder.newton_cg import NewtonCG
from arrayopt.secondorder.quasi_newton import BFGS, DFP, SR1, Broyden
from arrayopt.secondorder.steepest import SteepestDescent
from arrayopt.secondorder.trust_region import TrustRegion

METHODS: Mapping[str, Callable[..., Method]] = {
    "steepest_descent": SteepestDescent,
    "cg": ConjugateGradient,
    "linear_cg": partial(ConjugateGradient, beta="fr", line_search="exact"),
    "newton": Newton,
    "newton_cg": NewtonCG,
    "trust_region": TrustRegion,
    "trust_steihaug": partial(TrustRegion, subproblem="steihaug"),
    "trust_dogleg": partial(TrustRegion, subproblem="dogleg"),
    "lbfgs": LBFGS,
    "lbfgsb": LBFGSB,
    "bfgs": BFGS,
    "dfp": DFP,
    "broyden": Broyden,
    "sr1": SR1,
}
"""Names that `minimize` takes."""

__all__ = [
    "BFGS",
    "DFP",
    "LBFGS",
    "LBFGSB",
    "METHODS",
    "SR1",
    "Broyden",
    "ConjugateGradient",
    "LinearResult",
    "Newton",
    "NewtonCG",
    "SteepestDescent",
    "TrustRegion",
    "linear_cg",
]
