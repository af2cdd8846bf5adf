"""Where two rules are one, each with its condition, and what happens outside of it.

An equivalence that concerns one rule and its own dialects stands in the test of that rule.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import inplace
from arrayopt.firstorder import RULES
from arrayopt.firstorder.accumulate import Accumulate
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.lion import Lion
from arrayopt.firstorder.lookahead import Lookahead
from arrayopt.firstorder.mixed_precision import MixedPrecision
from arrayopt.firstorder.momentum import Momentum
from arrayopt.firstorder.muon import Muon
from arrayopt.firstorder.nesterov import Nesterov
from arrayopt.firstorder.partition import HasAxes, Partition
from arrayopt.firstorder.rmsprop import RMSProp
from arrayopt.firstorder.sgd import SGD
from arrayopt.firstorder.shampoo import Shampoo
from arrayopt.firstorder.signsgd import SignSGD
from arrayopt.firstorder.signum import Signum
from arrayopt.firstorder.tiger import Tiger
from tests.common.follow import assert_displacements, follow
from tests.common.rules import exaggerated

seeds = st.integers(0, 10**6)
rates = st.floats(0.0, 0.99)


def walk(seed=0, shape=(5,), steps=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(steps, *shape)), rng.normal(size=shape)


def apart(a, b):
    """The largest distance between two paths."""
    return np.max(np.abs(np.array(a) - np.array(b)))


# Sign rules ----------------------------------------------------------------------------------


@given(seeds, rates, st.floats(0.0, 0.5))
def test_lion_with_one_beta_and_decay_is_tiger_without_its_scale(seed, beta, decay):
    gradients, p0 = walk(seed)
    lion = Lion(lr=0.1, beta1=beta, beta2=beta, weight_decay=decay)
    tiger = Tiger(lr=0.1, beta=beta, weight_decay=decay, scale="none")
    assert_displacements(follow(tiger, p0, gradients), follow(lion, p0, gradients), p0)


@given(seeds, rates)
def test_and_with_its_scale_only_while_the_parameter_has_unit_rms(seed, beta):
    gradients, p0 = walk(seed, steps=1)
    lion, tiger = Lion(lr=0.1, beta1=beta, beta2=beta), Tiger(lr=0.1, beta=beta, weight_decay=0.0)
    unit = p0 / np.sqrt(np.mean(p0**2))
    assert_displacements(follow(tiger, unit, gradients), follow(lion, unit, gradients), unit)
    assert apart(follow(tiger, 3 * unit, gradients), follow(lion, 3 * unit, gradients)) > 0.19


def test_lion_with_two_betas_is_not_signum_with_either():
    gradients = [np.array([1.0]), np.array([-0.5])]
    lion = follow(Lion(lr=0.1, beta1=0.6, beta2=0.9), np.zeros(1), gradients)
    for beta in (0.6, 0.9):  # 0.6 * 0.1 * 1 - 0.4 * 0.5 < 0; the plain means 0.6 * 0.4 - 0.2 and 0.09 - 0.05 are > 0
        assert apart(lion, follow(Signum(lr=0.1, momentum=beta), np.zeros(1), gradients)) == pytest.approx(0.2)


SIGN_RULES = (
    SignSGD(lr=0.1, weight_decay=0.3),
    Signum(lr=0.1, momentum=0.6, weight_decay=0.3),
    Lion(lr=0.1, beta1=0.6, beta2=0.8, weight_decay=0.3),
    Tiger(lr=0.1, beta=0.6, weight_decay=0.3),
)


@pytest.mark.parametrize("rule", SIGN_RULES, ids=lambda r: type(r).__name__)
@given(st.integers(-8, 12))
def test_a_sign_rule_needs_no_unscaling_of_a_scaled_loss(rule, k):
    """Condition: the scale is positive, and no gradient under- or overflows. Decay stands outside the sign."""
    gradients, p0 = walk()
    unscaled = follow(MixedPrecision(rule=rule, scale=2.0**k, dynamic=False), p0, gradients * 2.0**k)
    np.testing.assert_array_equal(follow(rule, p0, gradients * 2.0**k), unscaled)


def test_a_rule_without_a_sign_does_and_so_does_one_whose_decay_enters_the_gradient():
    gradients, p0 = walk()
    for rule in (SGD(lr=0.1), Adam(lr=0.1, eps=0.05), SignSGD(lr=0.1, weight_decay=0.3, decay="l2")):
        assert apart(follow(rule, p0, gradients), follow(rule, p0, gradients * 16)) > 0.01


def test_a_sign_rule_does_see_gradients_that_underflow():
    gradients = [np.full(1, 2.0**-30).astype(np.float16)]
    assert follow(SignSGD(lr=0.1), np.zeros(1, np.float16), gradients)[0] == 0


# Matrices ------------------------------------------------------------------------------------


def test_on_a_matrix_that_is_not_diagonal_muon_is_not_tiger():
    gradients, p0 = np.array([[[3.0, 1.0], [0.0, 2.0]]]), np.eye(2)
    muon = Muon(lr=0.1, momentum=0.0, orthogonalize="exact", nesterov="none", scale="none")
    assert (
        apart(follow(muon, p0, gradients), follow(Tiger(lr=0.1, scale="none", weight_decay=0.0), p0, gradients)) > 0.05
    )


def test_on_a_diagonal_one_it_is_up_to_the_band_of_five_steps_of_newton_schulz():
    """The polynomial does not converge: singular values from 0.01 to 1 go to [0.6818, 1.1344]."""
    gradients = np.array([np.diag([1.0, -0.5, 0.1, -0.02])])
    muon = Muon(lr=1.0, momentum=0.0, nesterov="none", scale="none", eps=0.0)
    (after,) = follow(muon, np.zeros((4, 4)), gradients)
    size = -np.diag(after) * np.sign(np.diag(gradients[0]))
    assert size.min() > 0.6818
    assert size.max() < 1.1344
    assert np.abs(size - 1).max() > 0.05


@given(seeds, st.sampled_from([(3, 3), (2, 4), (4, 2)]))
def test_shampoo_without_memory_is_muon_without_momentum(seed, shape):
    """Condition: beta = 0 and eps = 0 in Shampoo, msign exact in Muon; both then step by msign(G)."""
    gradients, p0 = walk(seed, shape=shape, steps=2)
    muon = Muon(lr=0.1, momentum=0.0, orthogonalize="exact", nesterov="none", scale="none")
    shampoo = Shampoo(lr=0.1, beta=0.0, eps=0.0)
    # eigenvalues of G G^T are squares: half the digits of the smallest singular value are lost
    worst = max(np.linalg.cond(g) for g in gradients) ** 2
    assert_displacements(follow(shampoo, p0, gradients), follow(muon, p0, gradients), p0, rel=1e-14 * max(worst, 1e2))


# Weight decay --------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_decay_through_the_gradient_is_decoupled_decay_for_sgd_alone(cls):
    gradients, p0 = walk(shape=(4, 3))
    rule = exaggerated(cls, decay="l2")
    distance = apart(follow(rule, p0, gradients), follow(rule.replace(decay="decoupled"), p0, gradients))
    assert distance < 1e-14 if cls is SGD else distance > 1e-4


# Accumulation --------------------------------------------------------------------------------

FOLDING = [
    Momentum(lr=0.1, momentum=0.6, form="ema"),
    Momentum(lr=0.1, momentum=0.6, dampening=0.3, first="gradient", weight_decay=0.2),
    Momentum(lr=0.1, momentum=0.6, lr_place="inside", weight_decay=0.2, decay="decoupled"),
    Tiger(lr=0.1, beta=0.6, weight_decay=0.2),
]


@pytest.mark.parametrize("rule", FOLDING)
@given(st.integers(1, 6), seeds)
def test_accumulation_folded_into_the_momentum_is_explicit_accumulation(rule, k, seed):
    """Condition: gradients are taken at the resting parameters. Then it is exact but for rounding."""
    gradients, p0 = walk(seed, steps=3 * k)
    folded, explicit = (
        follow(rule.replace(accumulate=k), p0, gradients),
        follow(Accumulate(rule=rule, k=k), p0, gradients),
    )
    assert_displacements(folded, explicit, p0, rel=1e-13)


@given(st.sampled_from([1, 2, 4, 8]), seeds, st.sampled_from(["heavy_ball", "ema"]))
def test_without_rounding_it_is_exact_to_the_bit(k, seed, form):
    rng = np.random.default_rng(seed)
    gradients, p0 = rng.integers(-8, 9, size=(3 * k, 4)).astype(float), rng.integers(-8, 9, size=4).astype(float)
    rule = Momentum(lr=0.125, momentum=0.5, form=form)
    folded = follow(rule.replace(accumulate=k), p0, gradients)
    np.testing.assert_array_equal(folded, follow(Accumulate(rule=rule, k=k), p0, gradients))


@given(st.integers(1, 5), seeds, rates)
def test_the_folded_velocity_is_a_running_mean_over_groups_by_closed_sums(k, seed, mu):
    gradients, p0 = walk(seed, steps=3 * k)
    rule = Momentum(lr=1.0, momentum=mu, form="ema", accumulate=k)
    means = gradients.reshape(3, k, -1).mean(axis=1)
    reach = 1 - mu ** np.arange(3, 0, -1.0)  # (1 - mu)(1 + mu + ...) over the steps that a group still moves
    np.testing.assert_allclose(follow(rule, p0, gradients)[-1], p0 - reach @ means, rtol=0, atol=1e-13)


@pytest.mark.parametrize("form", ["heavy_ball", "ema"])
def test_folding_one_call_a_step_changes_nothing(form):
    gradients, p0 = walk()
    rule = Momentum(lr=0.1, momentum=0.6, form=form)
    np.testing.assert_array_equal(follow(rule.replace(accumulate=1), p0, gradients), follow(rule, p0, gradients))


def test_folding_keeps_one_array_where_explicit_accumulation_keeps_two_and_adam_three():
    def arrays(rule):
        return sum(len(by) for by in rule.init(np.zeros(3)).slots.values())

    assert arrays(Tiger(accumulate=4)) == arrays(Momentum(accumulate=4)) == 1
    assert arrays(Accumulate(rule=Lion(), k=4)) == 2
    assert arrays(Accumulate(rule=Adam(), k=4)) == 3


def test_multiplying_by_mu_in_every_call_forgets_too_fast():
    """The factor belongs to the first call of a group only."""
    gradients, mu, k = walk(steps=8)[0], 0.6, 4
    wrong = np.zeros(5)
    for g in gradients:
        wrong = mu * wrong + (1 - mu) / k * g
    rule = Momentum(lr=1.0, momentum=mu, form="ema")
    explicit = Accumulate(rule=rule, k=k)
    state = explicit.init(np.zeros(5))
    for g in gradients:
        _, state = explicit.update(g, state, np.zeros(5))
    assert apart(wrong, state.slots["v"][""]) > 0.05


def test_nesterov_cannot_be_folded_for_it_needs_the_mean_gradient_beside_the_momentum():
    gradients, zero = walk(steps=4)[0], np.zeros(5)
    nesterov = follow(Accumulate(rule=Nesterov(lr=1.0, momentum=0.6), k=4), zero, gradients)[-1]
    rule = Momentum(lr=1.0, momentum=0.6, accumulate=4)
    state = rule.init(zero)
    for g in gradients:
        _, state = rule.update(g, state, zero)
    v = state.slots["v"][""]
    np.testing.assert_allclose(nesterov, -(gradients.mean(axis=0) + 0.6 * v), rtol=1e-13)
    assert apart(nesterov, -(gradients[-1] + 0.6 * v)) > 0.05  # the last is all there is without a second array


@pytest.mark.parametrize(("k", "gap"), [(2, 0.0025), (4, 0.003688), (16, 0.004554)])
def test_a_beta_closer_to_one_in_every_call_is_nearly_accumulation(k, gap):
    """1 - (1 - beta)/k to the power of k is beta plus about (k - 1)/(2k) (1 - beta)^2."""
    beta = 0.9
    slower = 1 - (1 - beta) / k
    assert slower**k - beta == pytest.approx(gap, abs=5e-7)
    assert slower**k - beta == pytest.approx((k - 1) / (2 * k) * (1 - beta) ** 2, rel=0.1)


@given(rates, st.integers(1, 100))
def test_and_never_forgets_more(beta, k):
    assert (1 - (1 - beta) / k) ** k >= beta - 1e-13


def folded_adam(gradients, k, beta1, beta2):
    """Adam with both means folded as in archive 8634: m, v and the corrected step after every k-th gradient."""
    m, v, found = 0.0, 0.0, []
    for t, g in enumerate(gradients, 1):
        first = (t - 1) % k == 0
        m = (beta1 if first else 1) * m + (1 - beta1) / k * g
        v = (beta2 if first else 1) * v + (1 - beta2) / k * g * g
        if t % k == 0:
            n = t // k
            found.append((m, v, m / (1 - beta1**n) / np.sqrt(v / (1 - beta2**n))))
    return found


def accumulated_adam(gradients, k, beta1, beta2):
    """The same of Adam on mean gradients."""
    rule = Accumulate(rule=Adam(lr=1.0, beta1=beta1, beta2=beta2, eps=0.0), k=k)
    zero = np.zeros_like(gradients[0])
    state, found = rule.init(zero), []
    for t, g in enumerate(gradients, 1):
        after, state = rule.update(g, state, zero)
        if t % k == 0:
            found.append((state.slots["m"][""], state.slots["v"][""], -after))
    return found


@given(st.integers(1, 6), seeds, st.floats(0.1, 0.95), st.floats(0.1, 0.95))
def test_folded_into_adam_the_first_mean_is_exact_and_the_second_never_smaller(k, seed, beta1, beta2):
    """The square of a mean is at most the mean of squares, so steps are never longer."""
    gradients = walk(seed, steps=3 * k)[0]
    pairs = zip(folded_adam(gradients, k, beta1, beta2), accumulated_adam(gradients, k, beta1, beta2), strict=True)
    for (m, v, step), (m_true, v_true, step_true) in pairs:
        np.testing.assert_allclose(m, m_true, rtol=0, atol=1e-14)
        assert (v >= v_true * (1 - 1e-13)).all()
        assert (np.abs(step) <= np.abs(step_true) * (1 + 1e-12) + 1e-12).all()


@given(st.integers(1, 6), seeds)
def test_it_is_exact_for_adam_too_where_the_gradients_of_a_group_are_equal(k, seed):
    gradients = np.repeat(walk(seed, steps=3)[0], k, axis=0)
    for folded, true in zip(folded_adam(gradients, k, 0.6, 0.8), accumulated_adam(gradients, k, 0.6, 0.8), strict=True):
        np.testing.assert_allclose(folded, true, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("mean", "low", "high"), [(0.3, 3.1, 3.3), (0.15, 3.65, 3.85), (0.0, 3.9, 4.1)])
def test_for_noisy_gradients_the_second_mean_of_a_folded_adam_is_up_to_k_times_too_large(mean, low, high):
    """(mean^2 + 1) / (mean^2 + 1/k) times; steps are shorter by the root of that, so up to half as long at k = 4."""
    k, rng = 4, np.random.default_rng(0)
    gradients = mean + rng.normal(size=(40 * k, 20000))
    folded, true = folded_adam(gradients, k, 0.9, 0.95)[-1], accumulated_adam(gradients, k, 0.9, 0.95)[-1]
    ratio = np.mean(folded[1]) / np.mean(true[1])
    assert low < ratio < high
    assert ratio == pytest.approx((mean**2 + 1) / (mean**2 + 1 / k), rel=0.02)
    shorter = np.linalg.norm(true[2]) / np.linalg.norm(folded[2])
    assert shorter == pytest.approx(np.sqrt(ratio), rel=0.1)


# The rest ------------------------------------------------------------------------------------


@given(seeds, rates, st.floats(1e-3, 0.1))
def test_rmsprop_is_adam_without_momentum_and_corrections(seed, rho, eps):
    gradients, p0 = walk(seed)
    adam = Adam(lr=0.1, beta1=0.0, beta2=rho, eps=eps, bias_correction="none")
    assert_displacements(follow(RMSProp(lr=0.1, rho=rho, eps=eps), p0, gradients), follow(adam, p0, gradients), p0)


def test_and_with_corrections_it_is_not():
    gradients, p0 = walk()
    adam = Adam(lr=0.1, beta1=0.0, beta2=0.9, eps=0.05)
    assert apart(follow(RMSProp(lr=0.1, rho=0.9, eps=0.05), p0, gradients), follow(adam, p0, gradients)) > 0.05


@pytest.mark.parametrize(
    "rule", [SGD(lr=0.1), Adam(lr=0.1, eps=0.05), Lion(lr=0.1), Tiger(lr=0.1)], ids=lambda r: type(r).__name__
)
def test_one_rule_for_every_part_is_that_rule(rule):
    gradients, p0 = walk()
    both = Partition.by(HasAxes(2, 2), rule.replace(lr=9.0), rule)
    np.testing.assert_array_equal(follow(both, p0, gradients), follow(rule, p0, gradients))


@given(st.integers(1, 5), st.floats(0.01, 1.0))
def test_lookahead_over_a_linear_loss_is_sgd_at_the_rate_times_alpha_seen_every_k_steps(k, alpha):
    """Condition: the gradient does not depend on the parameters."""
    gradients, p0 = np.ones((3 * k, 2)), np.zeros(2)
    slow = follow(Lookahead(rule=SGD(lr=0.1), k=k, alpha=alpha), p0, gradients)[k - 1 :: k]
    assert_displacements(slow, follow(SGD(lr=0.1 * alpha), p0, gradients)[k - 1 :: k], p0, rel=1e-13)


@pytest.mark.parametrize("rule", FOLDING)
def test_folded_accumulation_in_place_is_the_pure_one_bit_for_bit(rule):
    gradients, p0 = walk(steps=7)
    rule = rule.replace(accumulate=3)
    params, state = p0.copy(), rule.init(p0)
    stepper = inplace(rule, block=2)
    for g, expected in zip(gradients, follow(rule, p0, gradients), strict=True):
        params, state = stepper.update(g, state, params)
        np.testing.assert_array_equal(params, expected)
