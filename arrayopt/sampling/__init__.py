"""Optimisation as sampling: one view from gradient descent and Newton to zeroth order and policy gradient."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from arrayopt.sampling.ball import BallStep
from arrayopt.sampling.bessel import ball_log_mean, ball_log_partition, bessel_ratio
from arrayopt.sampling.cma_constants import Constants, tutorial_constants
from arrayopt.sampling.cmaes import CMAES
from arrayopt.sampling.consensus import Consensus, consensus_point
from arrayopt.sampling.cross_entropy import CrossEntropy
from arrayopt.sampling.directions import draw_directions
from arrayopt.sampling.evolution import EvolutionStrategy
from arrayopt.sampling.free_energy import (
    empirical_free_energy,
    linear_on_ball,
    linear_under_gaussian,
    quadratic_log_partition,
    quadratic_under_gaussian,
)
from arrayopt.sampling.gaussian import SampledNewton, gaussian_step
from arrayopt.sampling.guided import Guided, GuidedSearch
from arrayopt.sampling.importance import (
    Weights,
    importance_gradient,
    importance_mean,
    normalised_weights,
    self_normalised_mean,
    tempered_weights,
    weighted_mean,
)
from arrayopt.sampling.mezo import MeZO
from arrayopt.sampling.mppi import MPPI
from arrayopt.sampling.one_plus_one import OnePlusOne
from arrayopt.sampling.pgpe import PGPE, pgpe_gradients
from arrayopt.sampling.policy import (
    expected_reward,
    hard_reward_gradient,
    optimal_baseline,
    policy_gradient,
    reinforce,
    sample_policy,
)
from arrayopt.sampling.proposals import Proposal, mixture_log_density
from arrayopt.sampling.recombination import rank_table, rank_weights
from arrayopt.sampling.restarts import Restarted
from arrayopt.sampling.sepcma import SepCMA
from arrayopt.sampling.shaping import shape_values, utilities
from arrayopt.sampling.smoothing import Smoothing, antithetic_gradient, score_gradient, stein_hessian
from arrayopt.sampling.snes import SNES
from arrayopt.sampling.spsa import SPSA, spsa_gain
from arrayopt.sampling.xnes import XNES
from arrayopt.sampling.zeroth_order import ZerothOrder

__all__ = [
    "CMAES",
    "METHODS",
    "MPPI",
    "PGPE",
    "SNES",
    "SPSA",
    "XNES",
    "BallStep",
    "Consensus",
    "Constants",
    "CrossEntropy",
    "EvolutionStrategy",
    "Guided",
    "GuidedSearch",
    "MeZO",
    "OnePlusOne",
    "Proposal",
    "Restarted",
    "SampledNewton",
    "SepCMA",
    "Smoothing",
    "Weights",
    "ZerothOrder",
    "antithetic_gradient",
    "ball_log_mean",
    "ball_log_partition",
    "bessel_ratio",
    "consensus_point",
    "draw_directions",
    "empirical_free_energy",
    "expected_reward",
    "gaussian_step",
    "hard_reward_gradient",
    "importance_gradient",
    "importance_mean",
    "linear_on_ball",
    "linear_under_gaussian",
    "mixture_log_density",
    "normalised_weights",
    "optimal_baseline",
    "pgpe_gradients",
    "policy_gradient",
    "quadratic_log_partition",
    "quadratic_under_gaussian",
    "rank_table",
    "rank_weights",
    "reinforce",
    "sample_policy",
    "score_gradient",
    "self_normalised_mean",
    "shape_values",
    "spsa_gain",
    "stein_hessian",
    "tempered_weights",
    "tutorial_constants",
    "utilities",
    "weighted_mean",
]

METHODS: Mapping[str, Callable[..., Any]] = {
    "ball": BallStep,
    "bipop_cmaes": functools.partial(Restarted, scheme="bipop"),
    "cmaes": CMAES,
    "consensus": Consensus,
    "cross_entropy": CrossEntropy,
    "es": EvolutionStrategy,
    "guided": GuidedSearch,
    "ipop_cmaes": functools.partial(Restarted, scheme="ipop"),
    "mppi": MPPI,
    "one_plus_one": OnePlusOne,
    "pgpe": PGPE,
    "sampled_newton": SampledNewton,
    "sepcma": SepCMA,
    "snes": SNES,
    "spsa": SPSA,
    "xnes": XNES,
}
"""By name, for `arrayopt.minimize`."""
