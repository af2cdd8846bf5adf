r"""The formula reader: a rule's update in plain text and in LaTeX, read off its tape.

Every local variable of `step` becomes an equation under its own name. Numbers that `scalars` derives are
written out by running it once on symbols; a `scalars` that branches on its numbers keeps their names.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from arrayopt.core import options
from arrayopt.core.optimizer import PerLeaf
from arrayopt.core.rule import Rule
from arrayopt.core.tape import Op, Tape, Value
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf

LATEX = {
    "lr": r"\eta", "beta": r"\beta", "beta1": r"\beta_1", "beta2": r"\beta_2", "rho": r"\rho", "eps": r"\epsilon",
    "eps_root": r"\epsilon_{\mathrm{root}}", "weight_decay": r"\lambda", "momentum": r"\mu", "dampening": r"\tau",
    "p": r"\theta", "bc1": r"(1-\beta_1^t)", "bc2": r"(1-\beta_2^t)", "momentum_decay": r"\psi",
}  # fmt: skip
"""How fields and variables are written in LaTeX; others appear upright under their own name."""

LEAF = Leaf("w", (64, 32), "float32")
"""The leaf that a formula is written for by default."""

_INFIX = {"add": (" + ", 1), "subtract": (" - ", 1), "multiply": (" ", 2), "divide": (" / ", 2), "power": ("^", 4),
          "less": (" < ", 0), "less_equal": (" <= ", 0), "greater": (" > ", 0), "greater_equal": (" >= ", 0),
          "equal": (" == ", 0), "not_equal": (" != ", 0), "matmul": (" @ ", 2)}  # fmt: skip
_LATEX_SIGNS = {
    " <= ": r" \le ",
    " >= ": r" \ge ",
    " == ": " = ",
    " != ": r" \ne ",
    " @ ": r"\, ",
    " ": r"\, ",
}


@dataclass(frozen=True)
class Expr:
    """An expression: an operation on expressions, or a leaf whose name is `op` and that has no arguments."""

    op: str
    args: tuple["Expr", ...] = ()
    when: str = ""
    """The index of a leaf: "t", "t-1" or nothing."""

    def _with(self, op: str, other: Any, swap: bool = False) -> "Expr":
        pair = (self, as_expr(other))
        return simplify(Expr(op, pair[::-1] if swap else pair))

    def __add__(self, other: Any) -> "Expr":
        return self._with("add", other)

    def __radd__(self, other: Any) -> "Expr":
        return self._with("add", other, swap=True)

    def __sub__(self, other: Any) -> "Expr":
        return self._with("subtract", other)

    def __rsub__(self, other: Any) -> "Expr":
        return self._with("subtract", other, swap=True)

    def __mul__(self, other: Any) -> "Expr":
        return self._with("multiply", other)

    def __rmul__(self, other: Any) -> "Expr":
        return self._with("multiply", other, swap=True)

    def __truediv__(self, other: Any) -> "Expr":
        return self._with("divide", other)

    def __rtruediv__(self, other: Any) -> "Expr":
        return self._with("divide", other, swap=True)

    def __pow__(self, other: Any) -> "Expr":
        return self._with("power", other)

    def __neg__(self) -> "Expr":
        return Expr("negative", (self,))

    def __bool__(self) -> bool:
        raise TypeError("a symbol has no truth value")

    def number(self) -> float | None:
        """Return the value of a literal number, else None."""
        try:
            return None if self.args else float(self.op)
        except ValueError:
            return None


def as_expr(x: Any) -> Expr:
    """Turn a number into an expression."""
    if isinstance(x, Expr):
        return x
    return Expr(f"{x:g}" if isinstance(x, float) else str(x))


def simplify(e: Expr) -> Expr:
    """Drop terms and factors that are exactly neutral, so that an unused option does not show."""
    if len(e.args) != 2:
        return e
    a, b = e.args
    x, y = a.number(), b.number()
    match e.op:
        case "add" if x == 0:
            return b
        case "add" | "subtract" if y == 0:
            return a
        case "multiply" if x == 1:
            return b
        case "multiply" | "divide" if y == 1:
            return a
        case "multiply" if a == b:
            return Expr("power", (a, Expr("2")))
        case "multiply" if x == 0 or y == 0:
            return Expr("0")
        case "power" if y == 0.5:
            return Expr("sqrt", (a,))
    return e


@dataclass(frozen=True)
class Equation:
    """One line of the update: `name` at step t equals `value`."""

    name: str
    value: Expr

    def plain(self) -> str:
        """Return the equation as text, in the names of the fields."""
        return f"{_index(self.name, 't')} = {_plain(self.value)}"

    def latex(self) -> str:
        """Return the equation in LaTeX, with an alignment mark."""
        return f"{_latex_name(self.name, 't')} &= {_latex(self.value)}"


def formula(rule: PerLeaf, leaf: Leaf | None = None, t: int = 1000) -> list[Equation]:
    """Return the update of `rule` as equations, in the order in which `step` computes them.

    Parameters
    ----------
    rule : Rule
        The rule with its dialect; options that are off do not appear.
    leaf : Leaf, optional
        The leaf to write it for; default a float32 matrix that is not square.
    t : int
        The step at which what depends on t is decided; large by default, when warm-up has passed.

    Examples
    --------
    >>> from arrayopt import Lion
    >>> for line in formula(Lion()):
    ...     print(line.plain())
    u_t = sign(beta1 m_{t-1} + (1 - beta1) g_t)
    m_t = beta2 m_{t-1} + (1 - beta2) g_t
    p_t = p_{t-1} - lr u_t
    """
    leaf = LEAF if leaf is None else leaf
    own = rule.for_leaf(leaf)
    h = own.numbers_at(t, leaf)
    tape = trace(own, leaf, h, own.slot_shapes(leaf), named=True)
    return _equations(tape, _numbers(own, h, leaf))


def host_numbers(rule: Rule, lines: Sequence[Equation], t: int) -> dict[str, float]:
    """Return the numbers of step t that the equations name without writing them out: neither fields nor arrays."""
    h = rule.numbers_at(t, LEAF)
    named = {leaf.op for line in lines for leaf in _leaves(line.value)}
    fields = options.numbers(type(rule))
    return {k: v for k, v in h.items() if k in named and k not in fields and isinstance(v, float)}


def _leaves(e: Expr) -> Iterator[Expr]:
    if not e.args and not e.when:
        yield e
    for a in e.args:
        yield from _leaves(a)


def latex(rule: PerLeaf) -> str:
    """Return the update as a LaTeX ``align`` body."""
    return " \\\\\n".join(e.latex() for e in formula(rule))


def _numbers(rule: Rule, h: Mapping[str, Any], leaf: Leaf) -> dict[str, Expr]:
    """Write every float of `h` in terms of the fields, as far as `scalars` can be run on symbols."""
    names = options.numbers(type(rule))
    given = {k: as_expr(0.0) if h[k] == 0 else Expr(k) for k in names}
    shown = {k: Expr(k) for k, v in h.items() if isinstance(v, float)} | given
    statics = {k: v for k, v in h.items() if k not in shown}
    scale = {"lr": given["lr"], "independent": as_expr(1.0), "relative": given["lr"] / Expr("lr_peak"),
             "squared": given["lr"] * given["lr"] / Expr("lr_peak")}[rule.decay_scale]  # fmt: skip
    shown["shrink"] = scale * given["weight_decay"]
    t: Any = Expr("t")
    try:
        derived = rule.scalars(SimpleNamespace(**statics | given | {"shrink": shown["shrink"]}), t, leaf)
    except (TypeError, AttributeError, KeyError):
        derived = {}
    # a number that depends on the leaf keeps its name, but for 0 and 1, which stand for what is off
    written = {k: v if isinstance(v, Expr) or v in (0.0, 1.0) else Expr(k) for k, v in derived.items()
               if isinstance(v, (Expr, float))}  # fmt: skip
    return shown | {k: as_expr(v) for k, v in written.items()}


def _equations(tape: Tape, numbers: Mapping[str, Expr]) -> list[Equation]:
    known: dict[int, Expr] = {v.index: numbers[k] for k, v in tape.numbers.items()}
    known |= {v.index: Expr(k, when="t" if k == "g" else "t-1") for k, v in tape.arrays.items()}
    results = {v.index: k for k, v in tape.outputs.items()}
    lines: list[Equation] = []
    for op in tape.ops:
        value = _expression(op, known)
        name = results.get(op.out.index) or tape.names.get(op.out.index)
        k = op.out.index
        if name is None or op.on_host or not value.args:
            known[k] = value
            continue
        lines.append(Equation(name, value))
        known[k] = Expr(name, when="t")
    # the parameter last: it is what the other lines lead to
    return sorted(lines, key=lambda e: e.name == "p")


def _expression(op: Op, known: Mapping[int, Expr]) -> Expr:
    args = tuple(known[a.index] if isinstance(a, Value) else as_expr(a) for a in op.args if not isinstance(a, tuple))
    args += tuple(Expr(f"axis={v}") for k, v in op.attrs if k == "axis" and v is not None)
    return simplify(Expr("power", (args[0], Expr("2"))) if op.name == "square" else Expr(op.name, args))


def _index(name: str, when: str) -> str:
    return name if not when else f"{name}_t" if when == "t" else f"{name}_{{{when}}}"


def _latex_name(name: str, when: str) -> str:
    symbol = LATEX.get(name, name if len(name) == 1 else rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}")
    return symbol if not when else f"{symbol}_{{{when}}}"


def _rank(e: Expr) -> int:
    """Return how tightly an expression binds: 5 for what never needs brackets."""
    return _INFIX[e.op][1] if len(e.args) == 2 and e.op in _INFIX else 1 if e.op == "negative" else 5


def _plain(e: Expr) -> str:
    if not e.args:
        return _index(e.op, e.when)
    if e.op == "negative":
        return "-" + _bracket(e.args[0], 2, _plain)
    if e.op in _INFIX and len(e.args) == 2:
        sign, rank = _INFIX[e.op]
        a, b = e.args
        return (
            _bracket(a, rank + (e.op == "power"), _plain)
            + sign
            + _bracket(b, rank + (e.op not in ("add", "multiply")), _plain)
        )
    return f"{e.op}({', '.join(map(_plain, e.args))})"


def _latex(e: Expr) -> str:
    if not e.args:
        return e.op if e.number() is not None else _latex_name(e.op, e.when)
    a = e.args[0]
    match e.op:
        case "negative":
            return "-" + _bracket(a, 2, _latex)
        case "divide":
            return rf"\frac{{{_latex(a)}}}{{{_latex(e.args[1])}}}"
        case "power":
            return f"{_bracket(a, 5, _latex)}^{{{_latex(e.args[1])}}}"
        case "sqrt":
            return rf"\sqrt{{{_latex(a)}}}"
        case "abs":
            return rf"\left|{_latex(a)}\right|"
        case "matrix_transpose":
            return f"{_bracket(a, 5, _latex)}^{{\\top}}"
        case "maximum" | "minimum":
            return rf"\{e.op[:3]}\left({', '.join(map(_latex, e.args))}\right)"
    if e.op in _INFIX and len(e.args) == 2:
        sign, rank = _INFIX[e.op]
        return (_bracket(a, rank, _latex) + _LATEX_SIGNS.get(sign, sign)
                + _bracket(e.args[1], rank + (e.op not in ("add", "multiply")), _latex))  # fmt: skip
    word = e.op.replace("_", r"\_")
    return rf"\operatorname{{{word}}}\left({', '.join(map(_latex, e.args))}\right)"


def _bracket(e: Expr, rank: int, show: Any) -> str:
    text: str = show(e)
    if _rank(e) >= rank or (show is _latex and e.op == "divide"):
        return text
    return rf"\left({text}\right)" if show is _latex else f"({text})"
