"""First-order rules, one a file; wrappers around them; and the table of all rules."""

from arrayopt.core.rule import Rule
from arrayopt.firstorder.accumulate import Accumulate
from arrayopt.firstorder.adabelief import AdaBelief
from arrayopt.firstorder.adadelta import Adadelta
from arrayopt.firstorder.adafactor import Adafactor
from arrayopt.firstorder.adagrad import Adagrad
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.adamax import AdaMax
from arrayopt.firstorder.adamw import AdamW
from arrayopt.firstorder.amos import Amos
from arrayopt.firstorder.average import Average
from arrayopt.firstorder.clip import Clip
from arrayopt.firstorder.if_finite import IfFinite
from arrayopt.firstorder.lamb import LAMB
from arrayopt.firstorder.lazy import Lazy
from arrayopt.firstorder.lion import Lion
from arrayopt.firstorder.lookahead import Lookahead
from arrayopt.firstorder.minibatch import minibatches
from arrayopt.firstorder.mixed_precision import MixedPrecision
from arrayopt.firstorder.momentum import Momentum
from arrayopt.firstorder.muon import Muon
from arrayopt.firstorder.nadam import NAdam
from arrayopt.firstorder.nesterov import Nesterov
from arrayopt.firstorder.partition import Partition, no_decay
from arrayopt.firstorder.radam import RAdam
from arrayopt.firstorder.rmsprop import RMSProp
from arrayopt.firstorder.sgd import SGD
from arrayopt.firstorder.shampoo import Shampoo
from arrayopt.firstorder.signsgd import SignSGD
from arrayopt.firstorder.signum import Signum
from arrayopt.firstorder.tiger import Tiger
from arrayopt.firstorder.trust_ratio import TrustRatio

RULES: tuple[type[Rule], ...] = (
    SGD,
    Momentum,
    Nesterov,
    Adagrad,
    RMSProp,
    Adadelta,
    Adam,
    AdamW,
    AdaMax,
    NAdam,
    RAdam,
    AdaBelief,
    SignSGD,
    Signum,
    Lion,
    Tiger,
    Muon,
    Shampoo,
    Amos,
    LAMB,
    Adafactor,
)
"""Every rule, in the order in which the literature found them: registries, tests and the command line read this."""

FAMILIES: tuple[tuple[type[Rule], ...], ...] = ((SGD, Momentum, Nesterov), (SignSGD, Signum, Lion))
"""Rules that a candidate may be mistaken for: the search for a dialect looks at all of a family."""

__all__ = [
    "FAMILIES",
    "LAMB",
    "RULES",
    "SGD",
    "Accumulate",
    "AdaBelief",
    "AdaMax",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Amos",
    "Average",
    "Clip",
    "IfFinite",
    "Lazy",
    "Lion",
    "Lookahead",
    "MixedPrecision",
    "Momentum",
    "Muon",
    "NAdam",
    "Nesterov",
    "Partition",
    "RAdam",
    "RMSProp",
    "Shampoo",
    "SignSGD",
    "Signum",
    "Tiger",
    "TrustRatio",
    "minibatches",
    "no_decay",
]
