"""Smooth approximations: of the maximum, the ReLU, the step, the floor, and of any piecewise polynomial by a kernel."""

from arrayopt.smooth.cauchy import Cauchy
from arrayopt.smooth.exponentials import log_softmax, logsumexp, softmax
from arrayopt.smooth.floors import floor_series, smooth_floor
from arrayopt.smooth.gates import gate_minimum, gated, gelu, swish
from arrayopt.smooth.gaussian import Gaussian
from arrayopt.smooth.kernel import Kernel
from arrayopt.smooth.logistic import Logistic
from arrayopt.smooth.mollifiers import mollify
from arrayopt.smooth.piecewise import ABSOLUTE, HARD_TANH, RELU, STEP, PiecewisePolynomial, staircase
from arrayopt.smooth.rectifiers import gaussian_relu, softplus, squareplus, squareplus_derivative
from arrayopt.smooth.squareplus_fit import squareplus_bound, squareplus_minimax
from arrayopt.smooth.student import StudentT2

__all__ = [
    "ABSOLUTE",
    "HARD_TANH",
    "RELU",
    "STEP",
    "Cauchy",
    "Gaussian",
    "Kernel",
    "Logistic",
    "PiecewisePolynomial",
    "StudentT2",
    "floor_series",
    "gate_minimum",
    "gated",
    "gaussian_relu",
    "gelu",
    "log_softmax",
    "logsumexp",
    "mollify",
    "smooth_floor",
    "softmax",
    "softplus",
    "squareplus",
    "squareplus_bound",
    "squareplus_derivative",
    "squareplus_minimax",
    "staircase",
    "swish",
]
