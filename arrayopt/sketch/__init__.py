"""Random projection: dimensions that keep distances, hashes that tell them, decompositions of low rank."""

from arrayopt.sketch.dimension import jl_dimension, jl_log_failure
from arrayopt.sketch.low_rank import LowRank, article_svd, randomized_svd
from arrayopt.sketch.norm_tails import norm_log_bound, norm_log_tail
from arrayopt.sketch.projections import (
    achlioptas_projection,
    gaussian_projection,
    hadamard_projection,
    hadamard_sketch,
    hadamard_transform,
    sparse_projection,
)
from arrayopt.sketch.sign_hashing import (
    SIGN_COSINE_GAP,
    SIGN_COSINE_WORST,
    cosine_estimate,
    hash_agreement,
    sign_collision,
    sign_cosine,
    sign_hash,
)
from arrayopt.sketch.stable_hashing import draw_stable_hash, stable_collision, stable_hash

__all__ = [
    "SIGN_COSINE_GAP",
    "SIGN_COSINE_WORST",
    "LowRank",
    "achlioptas_projection",
    "article_svd",
    "cosine_estimate",
    "draw_stable_hash",
    "gaussian_projection",
    "hadamard_projection",
    "hadamard_sketch",
    "hadamard_transform",
    "hash_agreement",
    "jl_dimension",
    "jl_log_failure",
    "norm_log_bound",
    "norm_log_tail",
    "randomized_svd",
    "sign_collision",
    "sign_cosine",
    "sign_hash",
    "sparse_projection",
    "stable_collision",
    "stable_hash",
]
