"""What the documents claim, as declarations that are checked, attacked, and corrected where they are wrong."""

from types import ModuleType

from arrayopt.claims import (
    accumulation,
    adaptive,
    amos,
    ball_steps,
    bounds_and_batches,
    conjugate_gradient,
    dominated,
    dropout,
    embedding,
    gates,
    gradient_descent,
    hashing,
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
    normalisation,
    policy_gradient,
    power_sums,
    propagation,
    quasi_newton,
    random_projection,
    sampling_view,
    sign_methods,
    smooth_floor,
    squareplus,
    tiger,
    trust_region,
    updates,
    votes,
    wrappers,
)
from arrayopt.claims.attack import attacked as attacked
from arrayopt.claims.claim import Claim as Claim
from arrayopt.claims.claim import Outside as Outside
from arrayopt.claims.finding import Finding as Finding
from arrayopt.claims.known import Known as Known
from arrayopt.claims.known import answered as answered
from arrayopt.claims.sampling import sampled as sampled

TOPICS: tuple[ModuleType, ...] = (
    logsumexp,
    squareplus,
    mollifiers,
    gates,
    smooth_floor,
    momentum,
    adaptive,
    sign_methods,
    votes,
    tiger,
    muon,
    accumulation,
    wrappers,
    amos,
    gradient_descent,
    line_search,
    newton,
    conjugate_gradient,
    quasi_newton,
    updates,
    trust_region,
    invariances,
    bounds_and_batches,
    lagrange,
    integral_bounds,
    power_sums,
    dominated,
    dropout,
    initialisation,
    propagation,
    random_projection,
    hashing,
    low_rank,
    normalisation,
    embedding,
    ball_steps,
    sampling_view,
    importance,
    policy_gradient,
)
CLAIMS: tuple[Claim, ...] = tuple(
    claim
    for topic in TOPICS
    for claim in vars(topic).values()
    if isinstance(claim, Claim) and topic.__name__ == f"{__name__}.{claim.topic}"
)
"""Every claim, by topic, in the order of their texts."""
KNOWN: tuple[Known, ...] = tuple(known for topic in TOPICS for known in getattr(topic, "KNOWN", ()))
"""Every known answer."""
