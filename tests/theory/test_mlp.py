import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt.errors import LeafError, OptionError
from arrayopt.theory import mlp_gradients
from tests.theory.elsewhere import assert_same, on_other_libraries


def square(h):
    """A scalar function of the output that is not linear."""
    return 0.5 * (h * h).sum(-1) + h.sum(-1), h + 1


def net(seed, bias=True, samples=()):
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 5))
    sizes = rng.integers(1, 6, depth + 1)
    weights = [rng.standard_normal((m, n)) for n, m in itertools.pairwise(sizes)]
    biases = [rng.standard_normal(m) for m in sizes[1:]] if bias else None
    kinds = rng.choice(["tanh", "relu", "identity"], depth).tolist()
    return rng.standard_normal((*samples, sizes[0])), weights, biases, kinds


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.booleans())
def test_gradients_are_differences(seed, bias):
    x, weights, biases, kinds = net(seed, bias)
    found = mlp_gradients(x, weights, biases, square, kinds)
    if any(abs(z).min() < 1e-4 for z, kind in zip(found.z, kinds, strict=True) if kind == "relu"):
        return  # beside a kink differences are no gradients

    def value(x, weights, biases):
        return float(mlp_gradients(x, weights, biases, square, kinds).value)

    def slopes(of, at):
        found, h = np.zeros_like(at), 1e-6
        for i in np.ndindex(at.shape):
            e = np.zeros_like(at)
            e[i] = h
            found[i] = (of(at + e) - of(at - e)) / (2 * h)
        return found

    scale = 1e-6 * (1 + abs(found.value))
    np.testing.assert_allclose(found.input_gradient, slopes(lambda v: value(v, weights, biases), x), 1e-5, scale)
    for t, W in enumerate(weights):

        def of_weight(v, t=t):
            return value(x, [*weights[:t], v, *weights[t + 1 :]], biases)

        np.testing.assert_allclose(found.weight_gradients[t], slopes(of_weight, W), 1e-5, scale)
        if bias:

            def of_bias(v, t=t):
                return value(x, weights, [*biases[:t], v, *biases[t + 1 :]])

            np.testing.assert_allclose(found.bias_gradients[t], slopes(of_bias, biases[t]), 1e-5, scale)


@given(st.integers(0, 10**6), st.booleans())
def test_the_identities_and_the_layer_inequality(seed, bias):
    x, weights, biases, kinds = net(seed, bias, samples=(3,))
    found = mlp_gradients(x, weights, biases, square, kinds)
    np.testing.assert_allclose(found.layer_identity().sum(-1), found.square_of_parameter_gradient, 1e-12, 1e-300)
    for t in range(len(weights)):
        left, right = found.matrix_identity(t)
        np.testing.assert_allclose(left, right, 1e-10, 1e-12 * (1 + np.abs(left).max()))
    spectral, frobenius = found.layer_bounds(), found.layer_bounds("frobenius")
    assert np.all(spectral <= found.layer_identity() * (1 + 1e-12) + 1e-300)
    assert np.all(frobenius <= spectral * (1 + 1e-12))


def test_samples_are_independent():
    x, weights, biases, kinds = net(3, samples=(4,))
    all_of_them = mlp_gradients(x, weights, biases, square, kinds)
    for i in range(4):
        one = mlp_gradients(x[i], weights, biases, square, kinds)
        np.testing.assert_allclose(all_of_them.input_gradient[i], one.input_gradient, rtol=1e-14)
        np.testing.assert_allclose(all_of_them.layer_bounds()[i], one.layer_bounds(), rtol=1e-12)


def test_a_linear_model_attains_the_bound():
    rng = np.random.default_rng(0)
    x, W, b = rng.standard_normal(5), rng.standard_normal((1, 5)), rng.standard_normal(1)
    found = mlp_gradients(x, [W], [b], square, "identity")
    np.testing.assert_allclose(found.layer_bounds(), found.layer_identity(), rtol=1e-14)


def test_averages_over_samples_break_the_inequality():
    x = np.asarray([[1.0], [1.0]])

    def opposite(h):
        sign = np.asarray([1.0, -1.0])
        return sign * h[:, 0], sign[:, None]

    found = mlp_gradients(x, [np.ones((1, 1))], [np.zeros(1)], opposite, "identity")
    averaged = sum(np.sum(np.mean(g, axis=0) ** 2) for g in (*found.weight_gradients, *found.bias_gradients))
    assert averaged == 0 < np.mean(found.layer_bounds())


def test_dead_and_saturated_layers():
    weights = [-np.eye(2), np.ones((1, 2))]
    dead = mlp_gradients(np.ones(2), weights, [np.zeros(2), np.zeros(1)], square, ["relu", "identity"])
    assert not dead.input_gradient.any()
    assert dead.layer_bounds().tolist() == [0, 0]
    assert dead.square_of_parameter_gradient > 0  # the last bias still counts
    # 1 - tanh(30)^2 is 0 in floating point; its true value is 4 exp(-60)
    slow = mlp_gradients(np.asarray([30.0]), [np.ones((1, 1))], None, lambda h: (h[..., 0], np.ones_like(h)), "tanh")
    assert float(slow.input_gradient[0]) == pytest.approx(4 * np.exp(-60.0), rel=1e-14)
    far = mlp_gradients(np.asarray([1e308]), [np.ones((1, 1))], None, square, "tanh")
    assert far.input_gradient.tolist() == [0]
    assert far.layer_bounds().tolist() == [0]


@on_other_libraries
def test_other_libraries(xp):
    x, weights, biases, _ = net(7, samples=(2,))

    def run(x, *rest):
        half = len(rest) // 2

        def f(h):
            sums = np.sum if isinstance(h, np.ndarray) else xp.sum
            return sums(h * h, axis=-1), 2 * h

        found = mlp_gradients(x, rest[:half], rest[half:], f, "tanh")
        return [found.layer_bounds(), found.layer_identity(), found.input_gradient, found.layer_bounds("frobenius")]

    assert_same(xp, run, x, *weights, *biases, rtol=2e-5)


def test_half_precision_is_computed_in_single():
    x, weights, biases, kinds = net(2)
    found = mlp_gradients(
        x.astype(np.float16),
        [W.astype(np.float16) for W in weights],
        [b.astype(np.float16) for b in biases],
        square,
        kinds,
    )
    assert found.input_gradient.dtype == np.float32


def test_refusals():
    x, W = np.ones(2), np.ones((3, 2))
    with pytest.raises(OptionError, match="activations: expected"):
        mlp_gradients(x, [W], None, square, "gelu")
    with pytest.raises(LeafError, match=r"weights\[0\]: expected a matrix of 2 columns"):
        mlp_gradients(x, [W.T], None, square)
    with pytest.raises(OptionError, match="weights: expected at least one layer"):
        mlp_gradients(x, [], None, square)
    with pytest.raises(OptionError, match="norm: expected"):
        mlp_gradients(x, [W], None, square).layer_bounds("nuclear")
