"""Writing: the lines of a script that make an optimizer, step it, and read one number."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.processes.wire import numbers, values, written
from arrayopt.conformance.reports.scripts.apis import PYTHON, Api
from arrayopt.conformance.reports.scripts.imports import UnwritableError, bare, imported

if TYPE_CHECKING:  # the adapters import this module
    from arrayopt.conformance.adapters.translation import Options


@dataclass(frozen=True)
class Literals:
    """The numbers of a script.

    Attributes
    ----------
    params, gradients : dict of array, list of dict of array
        Where it starts, and the gradient of each step.
    hyper : dict of float
        Hyper-parameters, by the fields of rules.
    rates : tuple of float
        The learning rate of each step; empty where it stays as in `hyper`.
    dtype : str
        The precision of parameters and gradients.
    path, index : str, tuple of int
        The leaf and the element that are shown.
    """

    params: Arrays
    gradients: list[Arrays]
    hyper: Mapping[str, float]
    rates: tuple[float, ...]
    dtype: str
    path: str
    index: tuple[int, ...]


Script = Callable[[Literals], list[str]]
"""Returns lines of Python, of which the last assigns to ``got``."""


def script_of(candidate: Candidate) -> Script:
    """Return how the script of a candidate is written.

    Raises
    ------
    UnwritableError
        If it is not known.
    """
    from arrayopt.conformance.processes.process import Processes  # what starts processes is loaded where it is wanted

    if candidate.script is not None:
        return candidate.script
    if isinstance(candidate.make, Processes):
        return Command(tuple(candidate.make.words))
    if candidate.tree == "auto":
        raise UnwritableError("it is not decided whether it takes a dict, a list or one array")
    return Python(dataclasses.replace(PYTHON, tree=candidate.tree), candidate.make)


@dataclass(frozen=True)
class Python:
    """The script of an optimizer that is a Python object.

    Parameters
    ----------
    api : Api
        How it is used.
    target : callable
        The class or function that makes it.
    options : Options, optional
        Its options; without them it takes hyper-parameters under the names of rules.
    """

    api: Api
    target: Callable[..., Any]
    options: "Options | None" = None

    def __call__(self, case: Literals) -> list[str]:
        """Return the lines.

        Raises
        ------
        UnwritableError
            If the optimizer cannot be imported, an option has no literal, or the rate cannot be changed.
        """
        api = self.api
        imports, optimizer = imported(self.target, api.homes)
        fill = functools.partial(_filled, optimizer=optimizer, dtype=case.dtype, params=api.params)
        start = {k: fill([api.param], x=literal(x))[0] for k, x in case.params.items()}
        steps = [_tree(api.tree, {k: literal(g[k]) for k in start}) for g in case.gradients]
        source = "steps[i]" if api.whole else "grads"
        grads = _each(api.tree, fill([api.gradient], x=source if api.tree == "array" else "g")[0], source)
        options = self._options(case.hyper)

        lines = [*api.imports, *(line for line in imports if line not in api.imports), ""]
        lines += [f"params = {_tree(api.tree, start)}", *fill(api.make, options=options)]
        if api.whole:
            lines += [f"steps = {_listed(steps)}", *fill(api.step, options=options, grads=grads)]
        else:
            rate = fill(api.rate, options=self._options(case.hyper, changing=True)) if case.rates else []
            lines += [_loop(steps, case.rates), *(f"    {line}" for line in [*rate, *fill(api.step, grads=grads)])]
        if case.rates and not api.rate:
            raise UnwritableError("its learning rate cannot be changed")
        leaf = {"list": f"params[{list(start).index(case.path)}]", "dict": f"params[{case.path!r}]"}
        array = fill([api.got], leaf=leaf.get(api.tree, "params"))[0]
        element = f"{array}[{', '.join(map(str, case.index))}]" if case.index else array
        return [*lines, f"got = float({element})"]

    def _options(self, hyper: Mapping[str, float], changing: bool = False) -> str:
        """Write the keyword arguments that are not at their defaults; `changing` the rate, which is a variable then."""
        arguments = self._arguments(hyper)
        if changing:
            other = self._arguments({**hyper, "lr": 2 * hyper["lr"] + 1})
            arguments = {k: _Variable("lr") if arguments.get(k) != x else x for k, x in other.items()}
        return ", ".join(f"{k}={_value(k, x)}" for k, x in arguments.items())

    def _arguments(self, hyper: Mapping[str, float]) -> dict[str, Any]:
        given: Mapping[str, Any] = hyper
        if self.options is not None:
            held = getattr(self.target, "keywords", {})  # of a partial
            given = {**held, **self.options.arguments(hyper), **self.options.fixed}
        defaults = {k: p.default for k, p in inspect.signature(bare(self.target)).parameters.items()}
        return {k: x for k, x in given.items() if k not in defaults or not _same(defaults[k], x)}


@dataclass(frozen=True)
class Command:
    """The script of an optimizer that is a process."""

    words: Sequence[str]

    def __call__(self, case: Literals) -> list[str]:
        """Return the lines."""
        from arrayopt.conformance.processes.process import PROTOCOL

        leaves = [{"name": k, "shape": list(p.shape), "data": numbers(p)} for k, p in case.params.items()]
        requests: list[Mapping[str, Any]] = [{"op": "hello", "protocol": PROTOCOL}]
        requests.append({"op": "make", "params": leaves, "hyper": values(case.hyper)})
        for t, g in enumerate(case.gradients):
            if case.rates:
                requests.append({"op": "set", "hyper": values({"lr": case.rates[t]})})
            requests.append({"op": "step", "grads": [numbers(g[k]) for k in case.params]})
        flat = int(np.ravel_multi_index(case.index, case.params[case.path].shape)) if case.index else 0
        return [
            "import json",
            "import subprocess",
            "",
            'requests = r"""' + "\n".join(map(written, requests)),
            '"""',
            f"command = {list(self.words)!r}",
            "run = subprocess.run(command, input=requests, stdout=subprocess.PIPE, text=True, timeout=60)",
            "answer = json.loads(run.stdout.splitlines()[-1])",
            f'got = float(answer["params"][{list(case.params).index(case.path)}][{flat}])',
        ]


class _Variable(str):
    """A variable among the values of options: written without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def literal(x: np.ndarray) -> str:
    """Write an array as nested lists."""
    return repr(x.tolist()).replace("nan", "float('nan')").replace("inf", "float('inf')")


def _value(name: str, x: Any) -> str:
    text = repr(x)
    try:
        compile(text, "", "eval")
    except SyntaxError:
        raise UnwritableError(f"its option {name}={text} has no literal") from None
    return text


def _same(default: Any, value: Any) -> bool:
    """Tell whether a value is the default, where that is a number, a word or a tuple of those."""
    return isinstance(default, (int, float, str, tuple, type(None))) and bool(default == value)


def _filled(lines: Sequence[str], **fields: str) -> list[str]:
    return [line.format(**fields).replace(", )", ")") for line in lines]


def _loop(steps: Sequence[str], rates: Sequence[float]) -> str:
    if rates:
        return f"for lr, grads in zip({list(rates)!r}, {_listed(steps)}):"
    return f"for grads in {_listed(steps)}:"


def _listed(items: Sequence[str]) -> str:
    return f"[{', '.join(items)}]"


def _tree(form: str, leaves: Mapping[str, str]) -> str:
    """Put the expressions of leaves into the form of the candidate."""
    if form == "dict":
        return "{" + ", ".join(f"{k!r}: {x}" for k, x in leaves.items()) + "}"
    return _listed(list(leaves.values())) if form == "list" else next(iter(leaves.values()))


def _each(form: str, gradient: str, source: str) -> str:
    """Write what turns the numbers in `source` into arrays, one by one."""
    if form == "dict":
        return f"{{k: {gradient} for k, g in {source}.items()}}"
    return f"[{gradient} for g in {source}]" if form == "list" else gradient
