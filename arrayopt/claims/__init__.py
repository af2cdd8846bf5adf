"""What the documents claim, as declarations that are checked, attacked, and corrected where they are wrong."""

from types import ModuleType

from arrayopt.claims import (
    accumulation,
    adaptive,
    affine_maps,
    amos,
    ball_steps,
    bounds_and_batches,
    conjugate_gradient,
    cosines,
    dominated,
    dropout,
    embedding,
    evolution,
    free_energies,
    gates,
    gradient_descent,
    gradient_penalty,
    hashing,
    hessian_view,
    importance,
    initialisation,
    integral_bounds,
    invariances,
    lagrange,
    line_search,
    logsumexp,
    low_rank,
    mollifiers,
    momentum,
    muon,
    newton,
    newton_schulz,
    normalisation,
    policy_gradient,
    power_sums,
    propagation,
    quasi_newton,
    random_projection,
    ranks,
    regret,
    sampling_view,
    search_directions,
    self_normalised,
    sign_methods,
    smooth_floor,
    squareplus,
    steepest_descent,
    tiger,
    trust_region,
    updates,
    votes,
    wrappers,
    zeroth_order,
)
from arrayopt.claims.attack import attacked as attacked
from arrayopt.claims.claim import Claim as Claim
from arrayopt.claims.claim import Outside as Outside
from arrayopt.claims.finding import Finding as Finding
from arrayopt.claims.known import Known as Known
from arrayopt.claims.known import answered as answered
from arrayopt.claims.sampling import sampled as sampled

TOPICS: tuple[ModuleType, ...] = (
    regret,
    policy_gradient,
    zeroth_order,
    search_directions,
    sampling_view,
    ball_steps,
    free_energies,
    importance,
    self_normalised,
    evolution,
    ranks,
    affine_maps,
    hessian_view,
    muon,
    newton_schulz,
    steepest_descent,
    cosines,
    logsumexp,
    gradient_penalty,
    integral_bounds,
    power_sums,
    dominated,
    amos,
    squareplus,
    dropout,
    initialisation,
    propagation,
    normalisation,
    mollifiers,
    gates,
    smooth_floor,
    random_projection,
    hashing,
    low_rank,
    embedding,
    sign_methods,
    votes,
    tiger,
    accumulation,
    wrappers,
    gradient_descent,
    momentum,
    adaptive,
    newton,
    line_search,
    conjugate_gradient,
    quasi_newton,
    updates,
    trust_region,
    invariances,
    bounds_and_batches,
    lagrange,
)
"""In the order of the articles, then of the survey, then of second-order methods."""
CLAIMS: tuple[Claim, ...] = tuple(
    claim
    for topic in TOPICS
    for claim in vars(topic).values()
    if isinstance(claim, Claim) and topic.__name__ == f"{__name__}.{claim.topic}"
)
"""Every claim, by topic, in the order of their texts."""
KNOWN: tuple[Known, ...] = tuple(known for topic in TOPICS for known in getattr(topic, "KNOWN", ()))
"""Every known answer."""
