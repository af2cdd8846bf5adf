"""Proposals of guided search: densities against 40 digits, the paper's and the public code's forms."""

import math

import mpmath
import numpy as np
import pytest
from scipy import stats

from arrayopt.backend import to_numpy
from arrayopt.core.logsumexp import softmax
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling import Proposal, mixture_log_density, tempered_weights
from tests.common.libraries import libraries

G = np.array([1.0, -2.0, 0.5])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_the_log_density_equals_40_digits(share):
    d, sigma = np.random.default_rng(0).normal(size=(4, 3)), np.array([0.1, 0.5, 2.0])
    found = mixture_log_density(d, G, sigma, share)
    with mpmath.workdps(40):
        for x, got in zip(d, found, strict=True):
            parts = [
                mpmath.fprod(mpmath.npdf(mpmath.mpf(x[i]), centre[i], mpmath.mpf(sigma[i])) for i in range(3))
                for centre in (np.zeros(3), -G)
            ]
            exact = mpmath.log(share * parts[0] + (1 - mpmath.mpf(share)) * parts[1])
            assert got == pytest.approx(float(exact), rel=1e-13)


def test_the_density_integrates_to_one():
    side = np.linspace(-13, 13, 801)
    d = np.stack(np.meshgrid(side, side, indexing="ij"), -1)
    mass = np.exp(mixture_log_density(d, G[:2], np.array([0.7, 1.1]), 0.4)).sum() * (side[1] - side[0]) ** 2
    assert mass == pytest.approx(1, abs=1e-12)


def test_a_million_dimensions_are_finite_and_trap_sums_of_exponentials_are_not():
    n, rng = 1_000_000, np.random.default_rng(0)
    g = (1e-3 * rng.standard_normal(n)).astype(np.float32)
    logs = Proposal(sigma=0.1).draw(g, rng=1)
    assert np.isfinite(to_numpy(logs.log_q)).all()
    assert logs.log_q.dtype == np.float64  # float32 would have lost the differences
    # the mixture, per step, by two densities in float64 whose logs are all there is
    z = logs.steps.astype(np.float64)
    constant = n * math.log(0.1 * math.sqrt(2 * math.pi))
    normal = [-0.5 * ((z - m) ** 2).sum(1) / 0.01 - constant for m in (0.0, -g.astype(float))]
    np.testing.assert_allclose(logs.log_q, np.logaddexp(*normal) - math.log(2), atol=1e-6)
    code = Proposal.preset("code", sigma=1e4).draw(g[:20_000], rng=1)
    assert (code.log_q == -math.inf).all()


def test_the_draws_are_those_of_the_mixture():
    n, sigma, share = 20_000, 0.5, 0.3
    drawn = Proposal(n=n, share=share, sigma=sigma).draw(G, rng=0)
    assert stats.binomtest(int(drawn.guided.sum()), n, 1 - share).pvalue > 1e-3
    noise = (drawn.steps + drawn.guided[:, None] * G) / sigma
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    spread = np.sqrt((sigma**2 + share * (1 - share) * G**2) / n)
    assert (np.abs(drawn.steps.mean(0) + (1 - share) * G) < 4 * spread).all()


def test_draws_in_one_call_are_those_one_by_one():
    rng, proposal = np.random.default_rng(7), Proposal(n=5)
    alone = [proposal.replace(n=1).draw(G, rng) for _ in range(5)]
    together = proposal.draw(G, rng=7)
    np.testing.assert_array_equal(together.steps, np.concatenate([x.steps for x in alone]))
    np.testing.assert_array_equal(together.log_q, np.concatenate([x.log_q for x in alone]))
    np.testing.assert_array_equal(together.guided, np.concatenate([x.guided for x in alone]))


def by_the_public_code(g, noise, beta, distance, distances, z):
    """The weights that wellecks/mgs 25c41ea computes, in NumPy, from its standard normal numbers."""
    g, log_rhos, steps = -g, [], []
    for i, noise_ in enumerate(noise * z * np.abs(g).sum() / g.size):
        epsilon = g + noise_ if i % 2 == 0 else noise_
        q = 0.5 * np.exp(-0.5 * epsilon @ epsilon) + 0.5 * np.exp(-0.5 * epsilon @ epsilon + g @ epsilon - 0.5 * g @ g)
        log_rhos.append(np.log(q))
        steps.append(epsilon)
    ws = np.array([beta * (np.log(np.exp(-d)) - np.log(np.exp(-distance))) for d in distances]) - log_rhos
    return np.array(steps), softmax(ws)


def test_the_preset_code_is_what_the_public_code_computes():
    proposal = Proposal.preset("code", sigma=0.1)
    rng = np.random.default_rng(5)
    z = []
    for _ in range(4):
        z.append(rng.standard_normal(3))
    drawn = proposal.draw(G, rng=5)
    f = np.array([0.3, 0.1, 0.7, 0.2])
    steps, weights = by_the_public_code(G, 0.1, 10.0, 0.4, f, np.array(z))
    np.testing.assert_allclose(drawn.steps, steps, rtol=1e-14)
    assert drawn.guided.tolist() == [True, False, True, False]
    np.testing.assert_allclose(tempered_weights(f, 0.1, drawn.log_q).weights, weights, rtol=1e-12)


def test_trap_the_densities_of_the_code_are_not_those_of_its_noise():
    paper = Proposal(sigma=0.1)
    drawn = paper.draw(G, rng=0)
    unit = paper.replace(density="unit").draw(G, rng=0)
    np.testing.assert_array_equal(drawn.steps, unit.steps)
    gaps = drawn.log_q - unit.log_q
    assert np.ptp(gaps) > 0.5  # no constant, which would cancel


def test_scaling_by_the_gradient_and_deviations_for_each_parameter():
    a = Proposal(sigma=0.2, scaling="gradient").draw(G, rng=0)
    b = Proposal(sigma=0.2 * float(np.abs(G).mean())).draw(G, rng=0)
    np.testing.assert_allclose(a.steps, b.steps, rtol=1e-14)
    np.testing.assert_allclose(a.log_q, b.log_q, rtol=1e-13)
    sigma = np.array([0.1, 1.0, 10.0])
    c = Proposal(share=1.0).draw(G, rng=0, sigma=sigma)
    assert Proposal().draw(G.astype(np.float32), rng=0, sigma=sigma).steps.dtype == np.float32
    np.testing.assert_allclose(c.log_q, stats.norm.logpdf(c.steps, scale=sigma).sum(1), rtol=1e-13)
    still = Proposal(scaling="gradient").draw(np.zeros(3), rng=0)
    assert not still.steps.any()
    assert np.isfinite(still.log_q).all()


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_array_libraries_get_the_same_numbers(xp):
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    g = xp.asarray(G.astype(np.float32), **where)
    for preset in ("paper", "code"):
        drawn, expected = (Proposal.preset(preset).draw(x, rng=3) for x in (g, G.astype(np.float32)))
        assert (type(drawn.steps), drawn.steps.dtype, drawn.steps.device) == (type(g), g.dtype, g.device)
        np.testing.assert_allclose(to_numpy(drawn.steps), expected.steps, rtol=1e-6)
        np.testing.assert_allclose(to_numpy(drawn.log_q), expected.log_q, rtol=1e-5)


def test_the_global_generator_is_untouched():
    before = np.random.get_state()  # noqa: NPY002 (what must not change)
    Proposal().draw(G, rng=0)
    Proposal().draw(G)
    assert all(np.array_equal(a, b) for a, b in zip(before, np.random.get_state(), strict=True))  # noqa: NPY002


def test_what_is_refused():
    with pytest.raises(OptionError, match=r"Proposal: assignment='alternate' is for share=0\.5"):
        Proposal(share=0.2, assignment="alternate")
    with pytest.raises(OptionError, match="Proposal: no preset 'article'; the presets are paper, code"):
        Proposal.preset("article")
    for field, bad in (("n", 0), ("share", 1.5), ("sigma", 0.0), ("density", "any")):
        with pytest.raises(OptionError, match=f"Proposal: {field} must be"):
            Proposal(**{field: bad})
    with pytest.raises(LeafError, match=r"g: expected the shape \(d,\), got \(2, 2\)"):
        Proposal().draw(np.ones((2, 2)))
