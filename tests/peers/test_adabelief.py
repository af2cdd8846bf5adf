"""AdaBelief's presets against the frameworks, at exaggerated settings and in float64."""

import pytest

from arrayopt.firstorder.adabelief import AdaBelief
from tests.peers.common import follow_rates, optax_path, peer, torch_path, with_l2, worst

# Exact in binary, as the rates are, and far from every default.
B1, B2, EPS, DECAY = 0.625, 0.8125, 0.0625, 0.25
HYPER = dict(beta1=B1, beta2=B2, eps=EPS, weight_decay=DECAY)
TOLERANCE = 1e-14


@pytest.mark.parametrize("eps_root", [0.0, 0.125])
def test_optax(eps_root):
    optax = peer("optax")
    theirs = optax_path(with_l2(lambda lr: optax.adabelief(lr, B1, B2, EPS, eps_root), DECAY))
    assert worst(follow_rates(AdaBelief.preset("optax", **HYPER, eps_root=eps_root)), theirs) < TOLERANCE


def test_optax_follows_the_paper_when_both_epsilons_are_one():
    optax = peer("optax")
    theirs = optax_path(with_l2(lambda lr: optax.adabelief(lr, B1, B2, EPS, EPS), DECAY))
    assert worst(follow_rates(AdaBelief.preset("paper", **HYPER)), theirs) < TOLERANCE


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {}),
        ({"weight_decouple": False}, {"decay": "l2"}),
        ({"fixed_decay": True}, {"decay_scale": "independent"}),
    ],
)
@pytest.mark.parametrize("foreach", [False, True])
def test_pytorch_optimizer(options, fields, foreach):
    theirs = peer("pytorch_optimizer").AdaBelief
    path = torch_path(lambda p, lr: theirs(p, lr, (B1, B2), DECAY, eps=EPS, foreach=foreach, **options))
    assert worst(follow_rates(AdaBelief.preset("pytorch_optimizer", **HYPER, **fields)), path) < TOLERANCE
