"""What every wrapper keeps to: any array library, nothing changed that was passed in, a state that is plain data."""

import array_api_strict
import numpy as np
import optree
import pytest

from arrayopt import LeafError, OptionError, State
from arrayopt.core import trees
from arrayopt.firstorder.accumulate import Accumulate
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.average import Average
from arrayopt.firstorder.clip import Clip
from arrayopt.firstorder.if_finite import IfFinite
from arrayopt.firstorder.lazy import Lazy
from arrayopt.firstorder.lookahead import Lookahead
from arrayopt.firstorder.mixed_precision import MixedPrecision
from arrayopt.firstorder.partition import HasAxes, Partition
from arrayopt.firstorder.sgd import SGD
from arrayopt.firstorder.trust_ratio import TrustRatio
from arrayopt.firstorder.wrapper import Wrapper

ADAM = Adam(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05, weight_decay=0.2)

EVERY = {
    "clip-torch": Clip(rule=ADAM, max_norm=1.5),
    "clip-exact": Clip(rule=ADAM, max_norm=1.5, form="exact"),
    "clip-keras": Clip(rule=ADAM, max_norm=1.5, form="keras"),
    "accumulate": Accumulate(rule=ADAM, k=2),
    "lookahead": Lookahead(rule=ADAM, k=2, alpha=0.75),
    "lookahead-reset": Lookahead(rule=ADAM, k=2, alpha=0.75, at_sync="reset"),
    **{
        f"average-{form}": Average(rule=ADAM, form=form, decay=0.5, start=1)
        for form in ("mean", "ema", "ema_from_start", "ema_debiased")
    },
    "if-finite": IfFinite(rule=ADAM),
    "lazy": Lazy(rule=ADAM),
    "trust-ratio": TrustRatio(rule=ADAM, lr=0.1),
    "mixed-static": MixedPrecision(rule=ADAM, scale=4.0, dynamic=False),
    "mixed-dynamic": MixedPrecision(rule=ADAM, scale=4.0, interval=2),
    "partition": Clip(rule=Partition.by(HasAxes(2, 2), SGD(lr=0.5), ADAM), max_norm=1.5),
    "nested": Lookahead(
        rule=Average(rule=Lookahead(rule=MixedPrecision(rule=Clip(rule=ADAM), scale=4.0), k=3), form="ema"), k=2
    ),
    "accumulated": IfFinite(rule=Accumulate(rule=Clip(rule=Accumulate(rule=ADAM, k=2)), k=2)),
}
every_wrapper = pytest.mark.parametrize("wrapper", EVERY.values(), ids=EVERY)


def params_of(dtype=np.float64):
    rng = np.random.default_rng(0)
    return {
        "b": np.asarray(rng.normal()).astype(dtype),
        "layer": {"w": rng.normal(size=(3, 2)).astype(dtype), "none": np.zeros((0, 2), dtype)},
        "list": [rng.normal(size=4).astype(dtype)],
    }


def gradients_of(params, steps=5):
    rng = np.random.default_rng(1)
    return [
        optree.tree_map(lambda p: np.asarray(rng.normal(size=p.shape)).astype(p.dtype), params) for _ in range(steps)
    ]


def walk(wrapper, convert=np.asarray, dtype=np.float64, state=None, first=0, last=5, params=None):
    gradients = gradients_of(params_of(dtype))
    params = optree.tree_map(convert, params_of(dtype)) if params is None else params
    state = wrapper.init(params) if state is None else state
    for g in gradients[first:last]:
        params, state = wrapper.update(optree.tree_map(convert, g), state, params)
    return params, state


def assert_trees(actual, expected, rel=0.0):
    flat_a, spec_a = trees.flatten(actual, "actual")
    flat_e, spec_e = trees.flatten(expected, "expected")
    assert spec_a == spec_e
    for k, e in flat_e.items():
        assert flat_a[k].dtype == e.dtype, k
        np.testing.assert_allclose(flat_a[k], e, rtol=rel, atol=rel)


def assert_like_numpy(wrapper, convert, back, dtype=np.float64, rel=1e-13):
    expected, kept = walk(wrapper, dtype=dtype)
    actual, state = walk(wrapper, convert, dtype)
    assert_trees(optree.tree_map(back, actual), expected, rel)
    assert state.t == kept.t == 5
    assert {s: by.keys() for s, by in state.slots.items()} == {s: by.keys() for s, by in kept.slots.items()}
    for slot, by in kept.slots.items():
        for k, e in by.items():
            np.testing.assert_allclose(back(state.slots[slot][k]), e, rtol=rel, atol=rel)


@every_wrapper
def test_read_only_numpy_arrays_are_enough(wrapper):
    def frozen(x):
        x = x.copy()
        x.flags.writeable = False
        return x

    assert_like_numpy(wrapper, frozen, np.asarray, rel=0.0)


@every_wrapper
def test_array_api_strict_on_its_second_device(wrapper):
    device = array_api_strict.Device("device1")

    def back(x):
        assert x.device == device
        return np.asarray(array_api_strict.from_dlpack(x, device=array_api_strict.Device("CPU_DEVICE")))

    assert_like_numpy(wrapper, lambda x: array_api_strict.asarray(x, device=device), back)


@every_wrapper
def test_torch_arrays(wrapper):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert_like_numpy(wrapper, torch.from_numpy, lambda x: x.numpy())


@every_wrapper
def test_jax_arrays(wrapper):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    assert_like_numpy(wrapper, jax.numpy.asarray, np.asarray, np.float32, rel=1e-5)


@every_wrapper
def test_torch_and_numpy_agree_on_bfloat16(wrapper):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")

    def convert(x):
        return torch.from_numpy(x.astype(np.float32)).to(torch.bfloat16)

    expected, _ = walk(wrapper, dtype=ml_dtypes.bfloat16)
    actual, _ = walk(wrapper, convert, dtype=ml_dtypes.bfloat16)
    assert all(x.dtype == torch.bfloat16 for x in optree.tree_leaves(actual))
    assert all(x.dtype == ml_dtypes.bfloat16 for x in optree.tree_leaves(expected))
    wide = optree.tree_map(lambda x: x.float().numpy(), actual)
    # one rounding the other way is one unit in the last place, 2^-8
    assert_trees(wide, optree.tree_map(lambda x: x.astype(np.float32), expected), rel=2.0**-6)


@every_wrapper
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_dtypes_and_shapes_are_kept(wrapper, dtype):
    after, _ = walk(wrapper, dtype=dtype)
    for a, p in zip(optree.tree_leaves(after), optree.tree_leaves(params_of(dtype)), strict=True):
        assert isinstance(a, np.ndarray)
        assert (a.dtype, a.shape) == (p.dtype, p.shape)


@every_wrapper
def test_a_single_array_is_a_tree(wrapper):
    p = np.array([1.0, -2.0])
    after, state = wrapper.update(p, wrapper.init(p), p)
    assert isinstance(after, np.ndarray)
    assert State.from_flat(state.flat(), p).flat().keys() == state.flat().keys()


@every_wrapper
def test_a_checkpoint_survives_savez_and_goes_on_bit_for_bit(wrapper, tmp_path):
    expected, _ = walk(wrapper, dtype=np.float32)
    params, state = walk(wrapper, dtype=np.float32, last=3)
    np.savez(tmp_path / "state.npz", **state.flat())
    with np.load(tmp_path / "state.npz") as stored:
        again = State.from_flat(stored)
    assert_trees(walk(wrapper, dtype=np.float32, state=again, first=3, params=params)[0], expected)


@every_wrapper
def test_a_checkpoint_comes_back_in_the_library_of_the_parameters(wrapper):
    device = array_api_strict.Device("device1")
    params, state = walk(wrapper, last=3)
    there = optree.tree_map(lambda x: array_api_strict.asarray(x, device=device), params)
    again = State.from_flat(state.flat(), there)
    assert all(x.device == device for x in optree.tree_leaves(again))
    grads = optree.tree_map(lambda x: array_api_strict.asarray(x, device=device), gradients_of(params)[3])
    wrapper.update(grads, again, there)


@every_wrapper
def test_the_state_is_a_pytree(wrapper):
    _, state = walk(wrapper, last=3)
    leaves, spec = optree.tree_flatten(state)
    again = optree.tree_unflatten(spec, leaves)
    assert again.t == state.t
    assert again.flat().keys() == state.flat().keys()
    assert optree.tree_structure(walk(wrapper, last=4)[1]) != spec  # t belongs to the structure
    assert list(walk(wrapper, last=4)[1].flat()) == list(state.flat())  # and the order of the arrays never changes


@every_wrapper
def test_the_state_is_a_pytree_of_jax(wrapper):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    _, state = walk(wrapper, jax.numpy.asarray, np.float32, last=1)
    leaves, spec = jax.tree_util.tree_flatten(state)
    assert jax.tree_util.tree_unflatten(spec, leaves).flat().keys() == state.flat().keys()


@every_wrapper
def test_writing_into_the_new_parameters_leaves_the_state_alone(wrapper):
    params, state = walk(wrapper, last=4)
    before = {k: x.copy() for k, x in state.flat().items()}
    for p in optree.tree_leaves(params):
        p[...] = 7
    for k, x in state.flat().items():
        np.testing.assert_array_equal(x, before[k])


def test_clipping_can_be_compiled_by_jax():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    rule, p = Clip(rule=SGD(lr=1.0), max_norm=1.0, form="exact"), jax.numpy.zeros(2)
    state = rule.init(p)
    after = jax.jit(lambda g: rule.update(g, state, p)[0])(jax.numpy.array([30.0, 40.0]))
    np.testing.assert_allclose(after, [-0.6, -0.8], rtol=1e-6)


def test_slots_of_one_wrapper_in_another_do_not_clash():
    rule = Lookahead(rule=Clip(rule=Lookahead(rule=Lookahead(rule=Adam()))))
    state = rule.init(np.zeros(2))
    assert set(state.slots) == {"m", "v", "lookahead.slow", "lookahead2.slow", "lookahead3.slow"}
    assert set(rule.inner(state).slots) == {"m", "v", "lookahead.slow", "lookahead2.slow"}
    assert set(rule.rule.rule.inner(rule.inner(state)).slots) == {"m", "v", "lookahead.slow"}


def test_t_counts_the_calls_and_each_inner_state_its_own_steps():
    rule = IfFinite(rule=Accumulate(rule=Adam(), k=2))
    params, state = np.zeros(1), rule.init(np.zeros(1))
    for g in [1.0, np.nan, 1.0, 1.0]:
        params, state = rule.update(np.array([g]), state, params)
    assert state.t == 4
    assert rule.inner(state).t == 3
    assert rule.rule.inner(rule.inner(state)).t == 1


def test_a_wrapper_is_data():
    assert Clip(rule=Adam(), max_norm=2.0) == Clip(rule=Adam(), max_norm=2.0)
    assert hash(Clip(rule=Adam())) == hash(Clip(rule=Adam()))
    assert Clip(rule=Adam()).replace(max_norm=3.0).max_norm == 3.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Clip(rule="adam"), "Clip: rule must be a rule, such as Adam"),
        (lambda: Clip(rule=Adam), "Clip: rule must be a rule, such as Adam"),
        (lambda: Clip(Adam()), r"Clip: options are given by name, as in Clip\(rule=...\)"),
        (lambda: Clip(rule=Adam(), max_nrom=1.0), "unknown option 'max_nrom'; did you mean 'max_norm'"),
        (lambda: Clip(rule=Adam(), form="optax"), "Clip: form must be one of 'torch', 'exact', 'keras'"),
        (lambda: Clip(rule=Adam(), max_norm=-1.0), "Clip: max_norm must be a finite number >= 0"),
        (lambda: Clip(rule=Adam()).replace(norm=1.0), "unknown option 'norm'"),
        (lambda: Accumulate(rule=Adam(), k=0), "Accumulate: k must be an integer >= 1, got 0"),
        (lambda: Lookahead(rule=Adam(), k=2.0), "Lookahead: k must be an integer >= 1, got 2.0"),
        (lambda: Average(rule=Adam(), start=-1), "Average: start must be an integer >= 0, got -1"),
        (lambda: Average(rule=Adam(), decay=1.0), "Average: decay must be a number in"),
        (lambda: IfFinite(rule=Adam(), max_consecutive_errors=True), "max_consecutive_errors must be an integer >= 0"),
        (lambda: MixedPrecision(rule=Adam(), scale=0.0), "MixedPrecision: scale must be a number in"),
        (lambda: MixedPrecision(rule=Adam(), scale=lambda t: 2.0), "MixedPrecision: scale must be a number, got"),
        (lambda: MixedPrecision(rule=Adam(), growth=0.5), "MixedPrecision: growth must be a finite number >= 1"),
        (lambda: MixedPrecision(rule=Adam(), backoff=1.0), "MixedPrecision: backoff must be a number in"),
        (lambda: MixedPrecision(rule=Adam(), interval=0), "MixedPrecision: interval must be an integer >= 1"),
    ],
)
def test_a_wrong_option_is_named(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_a_schedule_out_of_range_names_its_step():
    rule = Clip(rule=SGD(), max_norm=lambda t: 1.0 - t)
    p = np.ones(1)
    params, state = rule.update(p, rule.init(p), p)
    with pytest.raises(OptionError, match="Clip at step 2: max_norm must be"):
        rule.update(p, state, params)


@pytest.mark.parametrize(
    "wrapper",
    [w for w in EVERY.values() if not isinstance(w, Clip | Lazy | TrustRatio)],
    ids=lambda w: type(w).__name__,
)
def test_the_state_of_another_optimizer_is_refused_by_leaf(wrapper):
    params = params_of()
    with pytest.raises(
        LeafError, match=rf"state: .* lacks the slot .*make the state with {type(wrapper).__name__}.init"
    ):
        wrapper.update(params, wrapper.rule.init(params), params)
    with pytest.raises(LeafError, match="state: leaf 'b' has the slots"):
        ADAM.update(params, Lookahead(rule=ADAM).init(params), params)


def test_wrong_arguments_are_refused_by_leaf():
    wrapper, params = Lookahead(rule=ADAM), params_of()
    state = wrapper.init(params)
    with pytest.raises(LeafError, match=r"state: expected what Lookahead.init returned, got a dict"):
        wrapper.update(params, {}, params)
    wrong = optree.tree_map(lambda x: x, params)
    wrong["layer"]["w"] = np.zeros((2, 3))
    with pytest.raises(LeafError, match=r"grads: leaf 'layer/w' has shape \(2, 3\), expected \(3, 2\)"):
        wrapper.update(wrong, state, params)
    slots = {s: dict(by) for s, by in state.slots.items()}
    slots["lookahead.slow"]["layer/w"] = np.zeros(1)
    with pytest.raises(LeafError, match=r"state: slot 'lookahead.slow' of leaf 'layer/w' has shape \(1,\)"):
        wrapper.update(params, State(0, slots), params)
    with pytest.raises(LeafError, match="params: leaf 'n' has dtype int64, expected a real floating dtype"):
        wrapper.init({"n": np.zeros(2, np.int64)})
    with pytest.raises(LeafError, match="keep params, gradients and state in one array library"):
        wrapper.update({"w": array_api_strict.zeros(2)}, wrapper.init({"w": np.zeros(2)}), {"w": np.zeros(2)})
    with pytest.raises(LeafError, match="the tree has no leaves"):
        wrapper.init({})


def test_the_base_cannot_be_used():
    with pytest.raises(TypeError, match="abstract"):
        Wrapper(rule=Adam())
