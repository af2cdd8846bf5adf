"""What is timed: rules on sizes, and the special cases of the targets; arrays are made when a cell's turn comes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from arrayopt import BackendError, State, flatten_leaves, inplace
from arrayopt.core.rule import Rule
from arrayopt.firstorder import LAMB, Adadelta, AdamW, Lion, Momentum, Muon
from validation.kernels.timing import GPT2
from validation.speed import by_hand, matrices
from validation.speed.bound import bound, streams
from validation.speed.peers import optax_step, torch_steps
from validation.speed.rounds import Run

Shapes = Sequence[tuple[int, ...]]
Ways = dict[str, Run | str]
COLUMNS = ("pure", "numpy 1t", "numpy 2t", "numba 1t", "numba 2t", "torch for-loop", "torch foreach", "torch fused",
           "optax jit", "bound")  # fmt: skip
THREADS = 2
MOST_LEAVES = 200
"""Of what optax gets to compile."""
RULES: Mapping[str, Rule] = {
    "momentum": Momentum(lr=1e-3),
    "adamw": AdamW(lr=1e-3, weight_decay=0.01),
    "lion": Lion(lr=1e-4),
    "adadelta": Adadelta(lr=1.0),
    "muon": Muon(lr=1e-3),
    "lamb": LAMB(lr=1e-3),
}
SIZES: Mapping[str, Shapes] = {
    "1e3": [(10**3,)],
    "1e5": [(10**5,)],
    "1e6": [(10**6,)],
    "1e7": [(10**7,)],
    "5e7": [(5 * 10**7,)],
    "148": GPT2,
}
MATRICES: Mapping[str, Shapes] = {
    "1e3": [(25, 40)],
    "1e5": [(250, 400)],
    "1e6": [(1000, 1000)],
    "1e7": [(2500, 4000)],
}
"""For Muon. Larger ones, and the 148 leaves, take minutes a round."""


@dataclass(frozen=True)
class Cell:
    """A line of the table: `make` returns the alternatives, or why there is none."""

    name: str
    elements: int
    leaves: int
    make: Callable[[], Ways]
    moved: int | None = None
    """Bytes that a fused step moves."""
    slow: bool = False
    """Whether a call takes seconds, so that a few rounds have to do."""


def cells(scale: float = 1.0) -> list[Cell]:
    """Return all cells, with every leaf smaller by `scale` (for a smoke run)."""
    found = [_rule_cell(name, size, _scaled(s, scale)) for name in RULES for size, s in _sizes(name).items()]
    many, one = _scaled([(1000,)] * 1000, scale), [(1000,)]
    found += [
        Cell("many/own", _total(many), len(many), partial(_steps, "adamw", many, auto=True)),
        Cell("many/views", _total(many), len(many), partial(_steps, "adamw", many, auto=True, flat=True)),
        Cell("one/1000", 1000, 1, partial(_steps, "adamw", one, bare=True)),
    ]
    large = _scaled([(10**7,)], scale)
    found += [Cell(f"hand/{name}", _total(large), 1, partial(_by_hand, name, large)) for name in ("adamw", "momentum")]
    return found + [Cell(name, n, 1, make) for name, n, make in matrices.cells(scale)]


def _sizes(name: str) -> Mapping[str, Shapes]:
    return MATRICES if name == "muon" else SIZES


def _rule_cell(name: str, size: str, shapes: Shapes) -> Cell:
    moved = None if name == "muon" else 4 * sum(streams(RULES[name], 64)) * _total(shapes)
    make = partial(_steps, name, shapes)
    return Cell(f"{name}/{size}", _total(shapes), len(shapes), make, moved, slow=(name, size) == ("muon", "1e7"))


def _scaled(shapes: Shapes, scale: float) -> Shapes:
    if scale == 1.0:
        return shapes
    kept = shapes[: max(1, math.ceil(len(shapes) * math.sqrt(scale)))]
    return [tuple(max(2, round(n * scale ** (1 / len(s)))) for n in s) for s in kept]


def _total(shapes: Shapes) -> int:
    return sum(map(math.prod, shapes))


def _arrays(shapes: Shapes, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"w{i:04}": rng.standard_normal(s, dtype=np.float32) for i, s in enumerate(shapes)}


def _steps(name: str, shapes: Shapes, auto: bool = False, flat: bool = False, bare: bool = False) -> Ways:
    """Return every way to step some leaves. All of this package work on the same arrays; torch shares two of them."""
    rule, size = RULES[name], _total(shapes)
    params: Any = _arrays(shapes, 0)
    grads: Any = _arrays(shapes, 1)
    if flat:
        params, grads = flatten_leaves(params), flatten_leaves(grads)
    lists = list(params.values()), list(grads.values())
    if bare:  # a tree that is one array
        params, grads = lists[0][0], lists[1][0]
    slots = inplace(rule, engine="numpy").init(params).slots
    ways: Ways = {"pure": lambda: rule.update(grads, State(10, slots), params)}
    products = name == "muon"  # which BLAS shares among threads of its own
    for engine in ("numpy", "numba"):
        for count in (2,) if products else (1, 2):
            ways[f"{engine} {count}t"] = _in_place(rule, engine, count, grads, slots, params)
        if auto:
            ways[f"{engine} auto"] = _in_place(rule, engine, None, grads, slots, params)
    ways |= torch_steps(name, *lists, THREADS)
    ways["optax jit"] = (
        optax_step(name, *lists)
        if len(shapes) <= MOST_LEAVES
        else f"compiling more than {MOST_LEAVES} leaves takes minutes"
    )
    ways["bound"] = "matrix products, not traffic" if products else bound(rule, size, THREADS if size > 10**5 else 1)
    return ways


def _in_place(rule: Rule, engine: Any, threads: int | None, grads: Any, slots: Any, params: Any) -> Run | str:
    try:
        stepper = inplace(rule, threads=threads, engine=engine)
    except BackendError as error:
        return str(error)
    held = [State(0, slots)]

    def run() -> None:
        held[0] = stepper.update(grads, held[0], params)[1]

    for _ in range(12 if threads is None else 2):  # until the count of threads is settled
        run()
    return run


def _by_hand(name: str, shapes: Shapes) -> Ways:
    rule, params, grads = RULES[name], _arrays(shapes, 0), _arrays(shapes, 1)
    state = rule.init(params)
    arrays = [params["w0000"], grads["w0000"], *(by["w0000"] for by in state.slots.values())]
    loop = getattr(by_hand, name)(arrays)
    return {"numpy 1t": _in_place(rule, "numpy", 1, grads, state.slots, params), "by hand": loop}
