"""Adam: two steps by hand, closed sums over the history, and its claims."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.adam import Adam
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import adam as hand
from tests.firstorder.hand import literals

EXAGGERATED = dict(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05)

HAND = [
    [1.4090909090909090909, -1.9047619047619047619, 0.15243902439024390244],
    [1.4018551247614108351, -1.967698967698967699, 0.065277185554859132914],
]


def test_two_steps_by_hand():
    assert_displacements(follow(Adam(**EXAGGERATED), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


DENOMINATORS = {
    "paper": lambda v, c, eps, root: np.sqrt(v / c + root) + eps,
    "hat": lambda v, c, eps, root: np.sqrt(v / c + root) + eps / np.sqrt(c),
    "root_corrected": lambda v, c, eps, root: np.sqrt(v / c + root + eps),
    "root_raw": lambda v, c, eps, root: np.sqrt((v + eps) / c + root),
    "both": lambda v, c, eps, root: np.sqrt(v / c + root + eps) + eps,
}


def closed_sums(gradients, p0, lr, beta1, beta2, eps, eps_root=0.0, place="paper", correction="both"):
    """The parameters from the history alone: no recursion for m and v, one sum per step."""
    theta, path = p0, []
    for t in range(1, len(gradients) + 1):
        g = gradients[:t]
        w1 = (1 - beta1) * beta1 ** np.arange(t - 1, -1, -1.0)
        w2 = (1 - beta2) * beta2 ** np.arange(t - 1, -1, -1.0)
        c1 = w1.sum() if correction in ("both", "first") else 1.0
        c2 = w2.sum() if correction in ("both", "second") else 1.0
        theta = theta - lr * (w1 @ g / c1) / DENOMINATORS[place](w2 @ g**2, c2, eps, eps_root)
        path.append(theta)
    return path


@pytest.mark.parametrize("correction", ["both", "none", "first", "second"])
@pytest.mark.parametrize("place", DENOMINATORS)
@pytest.mark.parametrize("eps_root", [0.0, 0.02])
def test_closed_sums_over_the_history(eps_root, place, correction):
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 5)), rng.normal(size=5)
    actual = follow(Adam(**EXAGGERATED, eps_root=eps_root, eps_place=place, bias_correction=correction), p0, gradients)
    expected = closed_sums(gradients, p0, **EXAGGERATED, eps_root=eps_root, place=place, correction=correction)
    assert_displacements(actual, expected, p0, rel=1e-13)


def test_it_keeps_two_slots_and_a_third_for_amsgrad():
    slots = {amsgrad: list(Adam(amsgrad=amsgrad).init(P0).slots) for amsgrad in ("none", "max_raw", "max_corrected")}
    assert slots == {"none": ["m", "v"], "max_raw": ["m", "v", "vmax"], "max_corrected": ["m", "v", "vmax"]}


@given(st.floats(1e-100, 1e100), st.sampled_from([-1.0, 1.0]))
def test_the_first_step_is_the_sign_as_eps_goes_to_zero(size, sign):
    (after,) = follow(Adam(lr=0.5, eps=0.0), np.zeros(1), [np.array([sign * size])])
    np.testing.assert_allclose(after, [-0.5 * sign], rtol=1e-14)


def test_hat_is_paper_with_eps_divided_by_the_root_of_the_correction():
    g, p0 = np.array([0.01, 1.0]), np.zeros(2)
    hat = follow(Adam(eps=1e-2, eps_place="hat"), p0, [g])
    paper = follow(Adam(eps=1e-2 / math.sqrt(1 - 0.999)), p0, [g])
    assert_displacements(hat, paper, p0)


@pytest.mark.parametrize("amsgrad", ["max_raw", "max_corrected"])
def test_amsgrad_does_nothing_while_the_second_moment_grows(amsgrad):
    gradients = [np.array([float(k)]) for k in range(1, 6)]
    p0 = np.zeros(1)
    assert_displacements(follow(Adam(amsgrad=amsgrad), p0, gradients), follow(Adam(), p0, gradients), p0)
