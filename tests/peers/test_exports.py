"""Every optimizer that a framework exports is found, and runs or says why it cannot."""

import functools
import importlib
import os
import subprocess
import sys
from enum import Enum
from typing import Literal

import numpy as np
import pytest

from arrayopt.conformance import adapters
from arrayopt.conformance.adapters import FRAMEWORKS, Peer
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError, dtype_of
from arrayopt.conformance.consistency import Subject

every_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


@functools.cache
def exports_of(framework: str) -> dict[str, Peer]:
    if framework not in adapters.installed():
        pytest.skip(f"{framework} is not installed, so its optimizers cannot be looked for")
    return {peer.name.partition("(")[0].rpartition(".")[2]: peer for peer in adapters.exports(framework)}


MODULES = {
    "torch": "torch.optim", "keras": "keras.src.optimizers", "mlx": "mlx.optimizers", "tinygrad": "tinygrad.nn.optim",
    "sklearn": "sklearn.neural_network._stochastic_optimizers", "autograd": "autograd.misc.optimizers",
}  # fmt: skip


def there(framework: str) -> set[str]:
    """Return the names that the framework itself lists, or that its base class knows."""
    module = importlib.import_module(MODULES.get(framework, framework))
    if framework == "keras":
        base = module.Optimizer
        return {cls.__name__ for cls in module.ALL_OBJECTS if issubclass(cls, base) and cls is not base}
    if framework == "optax":
        aliases, contrib = importlib.import_module("optax._src.alias"), importlib.import_module("optax.contrib")
        takes = {n for m in (aliases, contrib) for n in dir(m) if "learning_rate" in annotated(getattr(m, n))}
        exported = {*dir(module), *dir(contrib)}
        return {n for n in takes & exported if not n.startswith(("scale_by_", "_"))}
    if framework == "pytorch_optimizer":
        lower = {n.lower(): n for n in dir(module) if isinstance(getattr(module, n), type)}
        return {lower[n] for n in module.get_supported_optimizers()}
    if framework == "tinygrad":
        return {"SGD", "Adam", "AdamW", "LAMB", "LARS", "Muon", "OptimizerGroup"}
    if framework == "autograd":
        return {"sgd", "rmsprop", "adam"}
    base = {"torch": "Optimizer", "mlx": "Optimizer", "sklearn": "BaseOptimizer"}.get(framework)
    if base:
        parent = getattr(module, base)
        return {n for n, x in vars(module).items() if isinstance(x, type) and issubclass(x, parent) and x is not parent}
    return {n for n, x in vars(module).items() if isinstance(x, type)}


def annotated(x: object) -> dict[str, object]:
    return getattr(x, "__annotations__", {})


@every_framework
def test_every_exported_optimizer_is_found(framework: str) -> None:
    found = set(exports_of(framework))
    assert there(framework) <= found


def leaves(seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    return {"w": rng.normal(size=(3, 2)).astype(np.float32), "v": rng.normal(size=4).astype(np.float32)}


def runs(candidate: Candidate) -> str:
    """Return why a candidate cannot take a step with a matrix and a vector; with a matrix alone; or in float32."""
    why = ""
    for names in (["w", "v"], ["w"]):
        for dtype in [None, *(d for d in candidate.dtypes if d == "float32")]:
            params = {k: leaves(0)[k] for k in names}
            try:
                running = candidate.start(
                    params, {"lr": 0.1, **candidate.defaults}, dtype and dict.fromkeys(params, dtype)
                )
                running.step({k: leaves(1)[k] for k in names})
            except CannotRunError as error:
                why = why or str(error)
            else:
                return ""
    return why


@every_framework
@pytest.mark.filterwarnings("ignore")  # some of a hundred optimizers warn of this or that
def test_every_optimizer_takes_a_step_or_says_why_it_cannot(framework: str) -> None:
    broken = {}
    for name, peer in exports_of(framework).items():
        why = runs(peer.candidate)
        if peer.reason:
            assert peer.reason in why
        elif why:
            broken[name] = why
    assert not broken


@every_framework
def test_every_optimizer_declares_the_numbers_of_its_signature_with_their_defaults(framework: str) -> None:
    for peer in exports_of(framework).values():
        assert set(peer.candidate.defaults) <= set(peer.candidate.hyper)
        assert len(set(peer.candidate.hyper)) == len(peer.candidate.hyper)
        if peer.reason:
            assert not peer.candidate.hyper
    some = {
        "torch": ("ASGD", {"lr": 0.01, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0.0}),
        "optax": ("yogi", {"beta1": 0.9, "beta2": 0.999, "eps": 1e-3}),
        "keras": ("Lion", {"lr": 0.001, "beta1": 0.9, "beta2": 0.99}),
        "mlx": ("RMSprop", {"alpha": 0.99, "eps": 1e-8}),
        "sklearn": ("SGDOptimizer", {"lr": 0.1, "momentum": 0.9}),
        "autograd": ("rmsprop", {"lr": 0.1, "gamma": 0.9, "eps": 1e-8}),
        "tinygrad": ("LARS", {"lr": 0.001, "momentum": 0.9, "weight_decay": 1e-4, "tcoef": 0.001}),
        "pytorch_optimizer": (
            "AdEMAMix",
            {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "beta3": 0.9999, "weight_decay": 0.0, "alpha": 5.0, "eps": 1e-8},
        ),
        "lion_pytorch": ("Lion", {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.0}),
        "schedulefree": (
            "SGDScheduleFree",
            {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.0, "r": 0.0, "weight_lr_power": 2.0},
        ),
    }
    name, defaults = some[framework]
    assert exports_of(framework)[name].candidate.defaults == defaults


VARIANTS = {
    "torch": ("Adam", {"foreach=True", "foreach=False", "fused=True", "differentiable=True", "two parameter groups",
                       "maximize=True, gradients negated", "named parameters", "lr as a tensor"}),
    "optax": ("adam", {"op by op", "learning rate as a schedule", "inject_hyperparams"}),
    "keras": ("Adam", {"apply_gradients", "stateless_apply", "learning rate as a schedule", "use_ema=True"}),
    "mlx": ("Adam", {"mx.compile", "learning rate as a schedule"}),
    "tinygrad": ("Adam", {"fused=True"}),
    "pytorch_optimizer": ("Lion", {"foreach=True", "foreach=False", "two parameter groups", "named parameters",
                                   "maximize=True, gradients negated"}),
    "schedulefree": ("SGDScheduleFree", {"foreach=False", "two parameter groups", "named parameters",
                                         "lr as a tensor"}),
}  # fmt: skip


@pytest.mark.parametrize("framework", VARIANTS)
@pytest.mark.filterwarnings("ignore:.*fused.*")
def test_code_paths_are_there_and_compute_the_same(framework: str) -> None:
    name, expected = VARIANTS[framework]
    candidate = exports_of(framework)[name].candidate
    assert expected <= set(candidate.variants)
    plain = Subject.of(candidate, shapes={"w": (3, 2), "v": (4,)})
    for label, make in candidate.variants.items():
        other = plain.replace(candidate=make())
        for a, b in zip(other.walk(), plain.walk(), strict=True):
            for k, x in b.items():
                # torch's differentiable path computes bias corrections in float32
                assert a[k] == pytest.approx(x, rel=2e-6), label


SWITCHES = {
    "torch": ("Adam", {"amsgrad=True", "decoupled_weight_decay=True"}),
    "optax": ("rmsprop", {"eps_in_sqrt=False", "centered=True", "nesterov=True", "bias_correction=True"}),
    "keras": ("Adam", {"amsgrad=True"}),
    "mlx": ("Adam", {"bias_correction=True"}),
    "sklearn": ("SGDOptimizer", {"nesterov=False"}),
    "tinygrad": ("LARS", {"nesterov=True", "classic=False", "pre_wd=False"}),
    "pytorch_optimizer": ("A2Grad", {"variant='inc'", "variant='exp'"}),
    "lion_pytorch": ("Lion", {"decoupled_weight_decay=True"}),
}


@pytest.mark.parametrize("framework", SWITCHES)
def test_switches_are_the_options_that_choose_no_code_path(framework: str) -> None:
    name, expected = SWITCHES[framework]
    candidate = exports_of(framework)[name].candidate
    assert set(candidate.switches) == expected
    turned = candidate.switches[min(expected)]()
    assert turned.name.endswith(f"[{min(expected)}]")
    assert set(turned.switches) < expected  # those that can be turned besides


FLOATS = {"float64", "float32", "bfloat16", "float16"}


@every_framework
def test_leaves_of_several_precisions_keep_them(framework: str) -> None:
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed, and bfloat16 is its")
    name = {"torch": "Adam", "optax": "adam", "keras": "SGD", "mlx": "Adam", "tinygrad": "SGD", 
            "sklearn": "AdamOptimizer", "autograd": "adam", "pytorch_optimizer": "Lion", "lion_pytorch": "Lion",
            "schedulefree": "SGDScheduleFree"}[framework]  # fmt: skip
    candidate = exports_of(framework)[name].candidate
    dtypes = [candidate.dtype, *candidate.dtypes]
    assert set(dtypes) <= FLOATS
    params = {f"leaf{i}": leaves(i)["w"] for i in range(len(dtypes))}
    each = dict(zip(params, dtypes, strict=True))
    running = candidate.start(params, {"lr": 0.125}, each)
    for t in range(2):
        moved, _ = running.step({k: leaves(10 * t + i)["w"] for i, k in enumerate(params)})
    for k, dtype in each.items():
        # tinygrad's own variable, which other tests set, says what stands for float32
        single = framework == "tinygrad" and dtype == "float32"
        held = dtype_of(os.environ.get("OPTIM_DTYPE", dtype) if single else dtype)
        assert np.array_equal(moved[k].astype(held).astype(np.float64), moved[k]), dtype
        assert not np.array_equal(moved[k], params[k].astype(held).astype(np.float64))


@every_framework
def test_a_leaf_without_a_gradient_stays_where_the_framework_takes_one(framework: str) -> None:
    driven = [p.candidate for p in exports_of(framework).values() if not p.reason]
    assert {c.missing for c in driven} == {framework not in ("optax", "sklearn", "autograd", "tinygrad")}
    if not driven[0].missing:
        return
    candidate = exports_of(framework)["Lion" if "Lion" in exports_of(framework) else "SGDScheduleFree" if
                                      framework == "schedulefree" else "SGD"].candidate  # fmt: skip
    running = candidate.start(leaves(0), {"lr": 0.125})
    moved, _ = running.step({"w": leaves(1)["w"]})
    assert np.array_equal(moved["v"], leaves(0)["v"])
    assert not np.array_equal(moved["w"], leaves(0)["w"])


@every_framework
def test_what_is_saved_is_a_copy(framework: str) -> None:
    name = {"sklearn": "AdamOptimizer", "autograd": "adam", "optax": "adam", "schedulefree": "SGDScheduleFree",
            "pytorch_optimizer": "Lion", "lion_pytorch": "Lion"}.get(framework, "Adam")  # fmt: skip
    candidate = exports_of(framework)[name].candidate
    hyper = {**candidate.defaults, "lr": 0.125}
    running = candidate.start(leaves(0), hyper)
    running.step(leaves(1))
    state = running.save()
    there, _ = running.step(leaves(2))
    for _ in range(2):
        running.step(leaves(3))
        other = candidate.start(leaves(4), hyper)
        other.load(state)
        here, _ = other.step(leaves(2))
        assert all(np.array_equal(here[k], there[k]) for k in here)


@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_wrappers_of_optax_hold_adam_and_can_be_run_without_the_wrapper() -> None:
    wrapped = [p for p in exports_of("optax").values() if "without the wrapper" in p.candidate.variants]
    assert {p.name for p in wrapped} >= {
        "optax.MultiSteps",
        "optax.flatten",
        "optax.masked",
        "optax.inject_hyperparams",
    }
    for peer in wrapped:
        plain = Subject.of(peer.candidate, shapes={"w": (3, 2)})
        alone = plain.replace(candidate=peer.candidate.variants["without the wrapper"]())
        for a, b in zip(alone.walk(), plain.walk(), strict=True):
            assert a["w"] == pytest.approx(b["w"], rel=1e-6), peer.name


def test_optax_runs_in_float32_if_the_user_wants_no_float64() -> None:
    exports_of("optax")
    script = """
from arrayopt.conformance import adapters
peer = next(p for p in adapters.exports("optax") if p.name == "optax.sgd")
c = peer.candidate
import numpy as np
moved, _ = c.start({"a": np.ones(2)}, {"lr": 0.1}).step({"a": np.ones(2)})
print(c.dtype, c.source, moved["a"][0] == np.float32(1) - np.float32(0.1))
"""
    env = {**os.environ, "JAX_ENABLE_X64": "0"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("float32 optax"), done.stderr
    assert done.stdout.strip().endswith("without x64 True")


# Reading signatures ----------------------------------------------------------------------------


class Graft(Enum):
    NONE = 0
    SGD = 1


def factory(
    params: list[object],
    learning_rate: float = 0.1,
    betas: tuple[float, ...] = (0.9, 0.99, 0.5),
    eps: tuple[float | None, float] = (None, 1e-3),
    alpha: float = 5.0,
    weight_decay: float = 0,
    steps: int = 5,
    growth: float = float("inf"),
    momentum: float | None = None,
    clip: float | None = None,
    coefficients: tuple[tuple[float, float], ...] = ((1.0, 2.0),),
    amsgrad: bool = False,
    mode: Literal["sum", "mean"] | None = "sum",
    graft: Graft = Graft.SGD,
    verbose: bool = False,
    ema: float = 0.5,
) -> dict[str, object]:
    return {"betas": betas, "alpha": alpha, "weight_decay": weight_decay}


EVERY = Options(factory, {"learning_rate": "lr", "alpha": "rho"}, {}, every=True, inert=("verbose", "ema"))


def test_every_number_is_declared_under_the_name_that_arrayopt_has_or_its_own() -> None:
    assert EVERY.fields == (
        "lr", "beta1", "beta2", "beta3", "eps2", "alpha", "weight_decay", "growth", "momentum"
    )  # fmt: skip


def test_defaults_are_those_that_are_finite_numbers() -> None:
    assert EVERY.defaults == {
        "lr": 0.1, "beta1": 0.9, "beta2": 0.99, "beta3": 0.5, "eps2": 1e-3, "alpha": 5.0, "weight_decay": 0.0,
    }  # fmt: skip


def test_a_place_of_a_tuple_is_set_alone() -> None:
    assert EVERY.make({"beta3": 0.25}, [])["betas"] == (0.9, 0.99, 0.25)


def test_switches_and_choices_are_turned() -> None:
    assert EVERY.turned() == {
        "amsgrad=True": ("amsgrad", True), "mode='mean'": ("mode", "mean"), "graft=NONE": ("graft", Graft.NONE),
    }  # fmt: skip
    assert EVERY.holding(amsgrad=True).turned().keys() == {"mode='mean'", "graft=NONE"}


def test_a_name_that_the_signature_has_itself_is_not_given_twice() -> None:
    def both(params: object, eps: float = 1e-8, matrix_eps: float = 1e-6) -> None: ...

    assert Options(both, {"matrix_eps": "eps"}, {}, every=True).fields == ("eps", "matrix_eps")


def test_the_rate_can_be_given_in_another_form() -> None:
    given = Options(lambda learning_rate=0.1, eps=1e-8: (learning_rate, eps), {"learning_rate": "lr"}, {})
    assert given.make({"lr": 0.5, "eps": 0.25}, instead=str) == ("0.5", 0.25)
    assert given.make({"eps": 0.25}, instead=str) == (0.1, 0.25)
