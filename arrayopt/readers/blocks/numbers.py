"""The numbers of a step as functions of t, so that a step evaluates no more than what changes from step to step.

`numbers_at` is run once with a symbol for t. What does not depend on t comes out as a plain float, the rest as an
expression that is compiled to Python and gives, operation by operation, the same float64 numbers. A rule whose
`scalars` branch on t, or whose fields hold schedules, refuses the symbol and is asked anew at every step.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf


class Refused(Exception):
    """The symbol for t was used in a way that an expression cannot follow."""


class Expression:
    """A number that depends on t."""

    def __init__(self, symbol: str, *args: Any) -> None:
        self.symbol, self.args = symbol, args

    def _refuse(self, *others: object) -> NoReturn:
        raise Refused

    __bool__ = __float__ = __int__ = __index__ = __trunc__ = __round__ = __floor__ = __ceil__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __divmod__ = _refuse
    __eq__ = __ne__ = _refuse
    __hash__ = object.__hash__

    def __neg__(self) -> "Expression":
        return Expression("-", self)

    def __abs__(self) -> NoReturn:
        self._refuse()


def _operator(symbol: str, reflected: bool) -> Callable[[Expression, Any], Expression]:
    def method(self: Expression, other: Any) -> Expression:
        if not isinstance(other, (Expression, int, float)) or (isinstance(other, float) and not math.isfinite(other)):
            raise Refused
        return Expression(symbol, other, self) if reflected else Expression(symbol, self, other)

    return method


for _name, _symbol in {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}.items():
    setattr(Expression, f"__{_name}__", _operator(_symbol, False))
    setattr(Expression, f"__r{_name}__", _operator(_symbol, True))


def compiled(numbers: Sequence[Expression]) -> Callable[[int], tuple[float, ...]]:
    """Return a function of t that evaluates expressions; parts they share are computed once."""
    lines, results = _lines(numbers)
    last = f"return ({''.join(f'{x}, ' for x in results)})"
    function: Callable[[int], tuple[float, ...]] = _function([*lines, last], {})
    return function


def setting(numbers: Sequence[Expression], places: Sequence[int], target: Any) -> Callable[[int], None]:
    """Return a function of t that puts the value of each expression into its place in `target`."""
    lines, results = _lines(numbers)
    put = [f"s[{i}] = {x}" for i, x in zip(places, results, strict=True)]
    function: Callable[[int], None] = _function([*lines, *put, "return"], {"s": target})
    return function


def _lines(numbers: Sequence[Expression]) -> tuple[list[str], list[str]]:
    lines: list[str] = []
    names: dict[int, str] = {}

    def name(x: Any) -> str:
        if not isinstance(x, Expression):
            return f"({x!r})"
        if id(x) not in names:
            args = [name(a) for a in x.args]
            text = x.symbol if not args else f" {x.symbol} ".join(args) if len(args) == 2 else x.symbol + args[0]
            names[id(x)] = "t" if x.symbol == "t" else f"x{len(names)}"
            if x.symbol != "t":
                lines.append(f"{names[id(x)]} = {text}")
        return names[id(x)]

    return lines, [name(x) for x in numbers]


def _function(body: Sequence[str], space: dict[str, Any]) -> Any:
    exec("\n    ".join(["def numbers(t):", *body]), space)  # only what is written above
    return space["numbers"]


class Watched:
    """A `Leaf` that notes whether its path or its shape has been read."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf, self.dtype = leaf, leaf.dtype
        self.reads: set[str] = set()

    @property
    def path(self) -> str:
        """As of the leaf."""
        self.reads.add("path")
        return self._leaf.path

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the leaf."""
        self.reads.add("shape")
        return self._leaf.shape

    def __getattr__(self, name: str) -> Any:
        return getattr(Leaf, name).fget(self)  # ndim, size and name follow from the two above


class Numbers:
    """The numbers of one rule on leaves that `scalars` cannot tell apart.

    Attributes
    ----------
    symbolic : mapping, optional
        What `numbers_at` returns, with expressions for what depends on t; None where the rule refuses a symbol.
    reads : set of {"path", "shape"}
        What `scalars` has asked of the leaf so far.
    """

    def __init__(self, rule: Rule, leaf: Leaf) -> None:
        self.rule, self._leaf = rule, Watched(leaf)
        self.reads = self._leaf.reads
        self.symbolic: Mapping[str, Any] | None = None
        if not any(callable(getattr(rule, name)) for name in options.numbers(type(rule))):
            symbol: Any = Expression("t")
            try:
                self.symbolic = rule.numbers_at(symbol, self._as_leaf)
            except Refused:
                self.symbolic = None

    @property
    def _as_leaf(self) -> Any:
        return self._leaf

    def at(self, t: int) -> Mapping[str, Any]:
        """Evaluate everything at step t."""
        return self.rule.numbers_at(t, self._as_leaf)


def is_number(x: Any) -> bool:
    """Tell whether an entry of `h` is an argument of the tape; anything else is static."""
    return isinstance(x, (float, Expression))
