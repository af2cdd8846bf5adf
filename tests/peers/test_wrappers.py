"""Wrappers against the libraries that they are named after, in float64 where those can."""

import numpy as np
import pytest

from arrayopt.firstorder.accumulate import Accumulate
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.average import Average
from arrayopt.firstorder.clip import Clip
from arrayopt.firstorder.if_finite import IfFinite
from arrayopt.firstorder.lazy import Lazy
from arrayopt.firstorder.lookahead import Lookahead
from arrayopt.firstorder.mixed_precision import MixedPrecision
from arrayopt.firstorder.sgd import SGD
from tests.common.follow import follow
from tests.peers import common
from tests.peers.common import worst

FIELDS = {"beta1": 0.625, "beta2": 0.75, "eps": 0.0625}
ADAM = Adam(lr=0.125, **FIELDS)
ALL = [g * s for s in (1.0, 20.0) for g in common.GRADIENTS]


def gradients_with(bad):
    """Two leaves, of which one holds `bad`."""
    return {"a": np.array([[3.0, -4.0], [bad, 0.5]]), "b": np.array([12.0, 1.0])}


CASES = {
    "under": gradients_with(0.25),
    "over": {k: 3 * g for k, g in gradients_with(0.25).items()},
    "at": {"a": np.array([9.6]), "b": np.array([12.8])},
    "zero": {"a": np.zeros(2), "b": np.zeros(1)},
    "inf": gradients_with(np.inf),
    "-inf": gradients_with(-np.inf),
    "nan": gradients_with(np.nan),
}
LIMIT = 16.0
every_case = pytest.mark.parametrize("grads", CASES.values(), ids=CASES)


def clipped(form, grads):
    rule = Clip(rule=SGD(lr=1.0), max_norm=LIMIT, form=form)
    params = {k: np.zeros_like(g) for k, g in grads.items()}
    after, _ = rule.update(grads, rule.init(params), params)
    return {k: -p for k, p in after.items()}


def assert_same(ours, theirs, rel):
    for k in ours:
        np.testing.assert_allclose(ours[k], np.asarray(theirs[k]), rtol=rel, atol=0)


@every_case
def test_clip_torch(grads):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    params = {k: torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64)) for k, g in grads.items()}
    for k, g in grads.items():
        params[k].grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(list(params.values()), LIMIT)
    assert_same(clipped("torch", grads), {k: p.grad.numpy() for k, p in params.items()}, rel=4e-16)


@every_case
def test_clip_optax(grads):
    optax = pytest.importorskip("optax", reason="optax is not installed")
    import jax

    with jax.enable_x64(True):
        there = {k: jax.numpy.asarray(g) for k, g in grads.items()}
        transform = optax.clip_by_global_norm(LIMIT)
        found, _ = transform.update(there, transform.init(there))
        assert_same(clipped("exact", grads), found, rel=4e-16)


@every_case
def test_clip_keras(grads):
    pytest.importorskip("keras", reason="keras is not installed")
    import jax
    from keras import ops
    from keras.src.optimizers.base_optimizer import clip_by_global_norm

    with jax.enable_x64(True):
        found = clip_by_global_norm([ops.convert_to_tensor(g, dtype="float64") for g in grads.values()], LIMIT)
        found = [ops.convert_to_numpy(x) for x in found]
    assert_same(clipped("keras", grads), dict(zip(grads, found, strict=True)), rel=4e-16)


@every_case
def test_clip_mlx(grads):
    pytest.importorskip("mlx.core", reason="mlx is not installed")
    import mlx.core as mx
    import mlx.optimizers

    mx.set_default_device(mx.cpu)
    there = {k: mx.array(g, dtype=mx.float64) for k, g in grads.items()}
    found, _ = mlx.optimizers.clip_grad_norm(there, LIMIT)
    # MLX's 1e-6 is a float32
    assert_same(clipped("torch", grads), {k: np.array(x) for k, x in found.items()}, rel=1e-14)


def test_accumulate_optax():
    optax = pytest.importorskip("optax", reason="optax is not installed")
    theirs = common.optax_path(
        lambda lr: optax.MultiSteps(
            optax.adam(0.125, 0.625, 0.75, 0.0625), 3, accumulator_dtype=np.float64
        ).gradient_transformation(),
        rates=common.CONSTANT * 2,
        gradients=ALL,
    )
    ours = follow(Accumulate(rule=ADAM, k=3), common.P0, ALL)
    assert worst(ours[2:], theirs[2:]) <= 1e-12
    assert np.array_equal(theirs[1], common.P0)


@pytest.mark.parametrize("reset", [False, True])
def test_lookahead_optax(reset):
    optax = pytest.importorskip("optax", reason="optax is not installed")
    import jax
    import jax.numpy as jnp

    theirs = []
    with jax.enable_x64(True):
        params = optax.LookaheadParams.init_synced(jnp.asarray(common.P0))
        transform = optax.lookahead(optax.adam(0.125, 0.625, 0.75, 0.0625), 4, 0.25, reset_state=reset)
        state = transform.init(params)
        for g in ALL:
            updates, state = transform.update(jnp.asarray(g), state, params)
            params = optax.apply_updates(params, updates)
            theirs.append(np.asarray(params.fast))
    rule = Lookahead(rule=ADAM, k=4, alpha=0.25, at_sync="reset" if reset else "keep")
    assert worst(follow(rule, common.P0, ALL), theirs) <= 1e-12


@pytest.mark.parametrize("limit", [0, 1, 2, 5])
def test_if_finite_optax(limit):
    optax = pytest.importorskip("optax", reason="optax is not installed")
    import jax
    import jax.numpy as jnp

    bad = [None, np.nan, None, np.inf, -np.inf, None, np.nan, np.nan, np.nan, None]
    rule = IfFinite(rule=ADAM, max_consecutive_errors=limit)
    params, state = common.P0, rule.init(common.P0)
    with jax.enable_x64(True), np.errstate(invalid="ignore"):  # Adam on an inf, once the limit is passed
        there = jnp.asarray(common.P0)
        transform = optax.apply_if_finite(optax.adam(0.125, 0.625, 0.75, 0.0625), limit)
        theirs = transform.init(there)
        for b, g in zip(bad, ALL, strict=False):
            g = np.where(np.arange(12).reshape(4, 3) == 5, g if b is None else b, g)
            params, state = rule.update(g, state, params)
            updates, theirs = transform.update(jnp.asarray(g), theirs, there)
            there = optax.apply_updates(there, updates)
            np.testing.assert_allclose(params, there, rtol=1e-12)
            assert int(state.slots["if_finite.run"][""]) == int(theirs.notfinite_count)
            assert int(state.slots["if_finite.total"][""]) == int(theirs.total_notfinite)


@pytest.mark.parametrize("form", ["mean", "ema"])
def test_average_torch(form):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from torch.optim import swa_utils

    model = torch.nn.Linear(3, 4, bias=False, dtype=torch.float64)
    model.weight.data = torch.tensor(common.P0)
    function = None if form == "mean" else swa_utils.get_ema_multi_avg_fn(0.75)
    average = swa_utils.AveragedModel(model, multi_avg_fn=function)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.125, betas=(0.625, 0.75), eps=0.0625)
    rule = Average(rule=ADAM, form=form, decay=0.75)
    params, state, ours, theirs = common.P0, rule.init(common.P0), [], []
    for g in ALL:
        model.weight.grad = torch.tensor(g)
        optimizer.step()
        average.update_parameters(model)
        theirs.append(average.module.weight.detach().numpy().copy())
        params, state = rule.update(g, state, params)
        ours.append(rule.averaged(state, params))
    assert worst(ours, theirs) <= 1e-12


def test_average_optax_debiased():
    optax = pytest.importorskip("optax", reason="optax is not installed")
    import jax
    import jax.numpy as jnp

    rule = Average(rule=ADAM, form="ema_debiased", decay=0.75)
    params, state = common.P0, rule.init(common.P0)
    with jax.enable_x64(True):
        transform = optax.ema(0.75, debias=True)
        theirs = transform.init(jnp.asarray(common.P0))
        for g in ALL:
            params, state = rule.update(g, state, params)
            average, theirs = transform.update(jnp.asarray(params), theirs)
            np.testing.assert_allclose(rule.averaged(state, params), average, rtol=1e-12)


def test_average_keras():
    keras = pytest.importorskip("keras", reason="keras is not installed")
    import jax

    rule = Average(rule=SGD(lr=0.125), form="ema", decay=0.75)
    params, state, ours, theirs = common.P0, rule.init(common.P0), [], []
    with jax.enable_x64(True):
        variable = keras.Variable(common.P0, dtype="float64")
        optimizer = keras.optimizers.SGD(learning_rate=0.125, use_ema=True, ema_momentum=0.75)
        for g in ALL:
            optimizer.apply([keras.ops.convert_to_tensor(g, dtype="float64")], [variable])
            theirs.append(np.array(optimizer._model_variables_moving_average[0].value))
            params, state = rule.update(g, state, params)
            ours.append(rule.averaged(state, params))
    assert worst(ours, theirs) <= 1e-12


def test_mixed_precision_torch():
    """GradScaler refuses float16 gradients on float16 parameters, so there the caller holds the float32 copy."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_factor=4.0, backoff_factor=0.25, growth_interval=3)
    rule = MixedPrecision(rule=ADAM, scale=2.0**10, growth=4.0, backoff=0.25, interval=3)
    start = common.P0.astype(np.float16)
    master = torch.nn.Parameter(torch.tensor(start.astype(np.float32)))
    optimizer = torch.optim.Adam([master], lr=0.125, betas=(0.625, 0.75), eps=0.0625)
    params, state, scales = start, rule.init(start), []
    for t, g in enumerate(ALL * 2):
        scale = scaler.scale(torch.ones(())).item()
        assert scale == rule.loss_scale(state)
        scales.append(scale)
        g = np.asarray(g * scale).clip(-65504, 65504).astype(np.float16)
        if t in (2, 9, 10) or scale > 2**16:
            g[1, 1] = np.inf if t % 2 else np.nan
        master.grad = torch.tensor(g.astype(np.float32))
        scaler.step(optimizer)
        scaler.update()
        params, state = rule.update(g, state, params)
        # one step of Adam in float32 by each, in another order of operations
        np.testing.assert_allclose(state.slots["mixed_precision.master"][""], master.detach().numpy(), rtol=2e-6)
        assert np.array_equal(params, state.slots["mixed_precision.master"][""].astype(np.float16))
    assert len(set(scales)) > 4
    assert rule.inner(state).t == int(optimizer.state[master]["step"])


def test_lazy_is_torch_sparse_adam():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 3))
    theirs = torch.nn.Parameter(torch.tensor(start))
    optimizer = torch.optim.SparseAdam([theirs], lr=0.125, betas=(0.625, 0.75), eps=0.0625)
    rule = Lazy(rule=ADAM.replace(eps_place="hat"))
    ours, state = start, rule.init(start)
    for rows in ([0, 2], [2, 3], [0], [1, 2, 3]):
        values = rng.normal(size=(len(rows), 3))
        g = np.zeros_like(start)
        g[rows] = values
        theirs.grad = torch.sparse_coo_tensor([rows], values, start.shape, check_invariants=True)
        optimizer.step()
        ours, state = rule.update(g, state, ours)
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-14)
