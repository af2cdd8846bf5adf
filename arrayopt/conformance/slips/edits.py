"""Edits of a tape: ways to compute a rule's operations wrongly, and the replay of a tape on arrays.

A slip such as "the update reads the moment of the step before" is the same mistake in every rule. Made on the tape, it
is written once. The file is as long as the list of edits, each of a few lines.
"""

import dataclasses
import itertools
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from arrayopt.core.tape import REDUCTIONS, WHOLE, Op, Tape, Value

OPERATORS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
    "negative": operator.neg, "matmul": operator.matmul,
    "less": operator.lt, "less_equal": operator.le, "greater": operator.gt, "greater_equal": operator.ge,
}  # fmt: skip
OPPOSITE = {"add": "subtract", "subtract": "add", "multiply": "divide", "divide": "multiply"}
SAID = {
    "sqrt": "the square root", "square": "the square", "abs": "the absolute value", "sign": "the sign",
    "maximum": "the maximum", "minimum": "the minimum", "divide": "a division", "multiply": "a factor",
    "add": "a term", "subtract": "a term", "negative": "a sign",
}  # fmt: skip
"""Operations that can be left out, and what is then missing."""


def replay(tape: Tape, xp: Any, numbers: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Run a tape on arrays in the namespace `xp`; return the new parameter and slots as a rule's `step` does."""
    known: dict[int, Any] = {v.index: arrays[k] for k, v in tape.arrays.items()}
    known |= {v.index: numbers[k] for k, v in tape.numbers.items()}
    for op in tape.ops:
        args = [known[a.index] if isinstance(a, Value) else a for a in op.args]
        known[op.out.index] = _apply(op, xp, args)
    results = {k: known[v.index] for k, v in tape.outputs.items()}
    return results.pop("p"), results


def _apply(op: Op, xp: Any, args: list[Any]) -> Any:
    attrs = dict(op.attrs)
    if op.helper is not None:
        if hasattr(xp, "record_helper"):
            return xp.record_helper(op.helper, lambda *_: op.out.shape, tuple(args), attrs)
        return op.helper(xp, *args, **attrs)
    if op.name in OPERATORS:
        return OPERATORS[op.name](*args)
    if op.name == "reshape":
        return xp.reshape(args[0], attrs["shape"])
    return getattr(xp, op.name)(*args, **attrs)


def stale(tape: Tape, slot: str, reader: str) -> Tape | None:
    """Let what leads to one result read the slot as it was before the step; None if that does not read it."""
    if slot not in tape.arrays:  # a leaf of another kind, which does not have it
        return tape
    old, new = tape.arrays[slot], tape.outputs[slot]
    behind = _ancestors(tape, tape.outputs[reader]) - _ancestors(tape, new)
    ops = [_with(op, {new.index: old}) if op.out.index in behind else op for op in tape.ops]
    return None if ops == tape.ops else dataclasses.replace(tape, ops=ops)


def all_stale(tape: Tape) -> Tape | None:
    """Let the update read all slots as they were before the step."""
    before = tape
    for slot in tape.outputs.keys() - {"p"}:
        before = stale(before, slot, "p") or before
    return None if before is tape else before


def early(tape: Tape, slot: str) -> Tape | None:
    """Update the slot first, so that whatever read the old one reads the new one; None if nothing else reads it.

    What led to the new one is computed again where it also leads elsewhere, as in Adadelta.
    """
    if slot not in tape.arrays:
        return tape
    old, new = tape.arrays[slot], tape.outputs[slot]
    again: dict[int, Value] = {old.index: new}
    copies = []
    fresh = itertools.count(1 + max(op.out.index for op in tape.ops))
    for op in tape.ops:
        if op.out.index != new.index and any(isinstance(a, Value) and a.index in again for a in op.args):
            out = dataclasses.replace(op.out, index=next(fresh))
            copies.append(dataclasses.replace(_with(op, again), out=out))
            again[op.out.index] = out
    outputs = {k: v if k == slot else again.get(v.index, v) for k, v in tape.outputs.items()}
    if outputs["p"] == tape.outputs["p"]:
        return None
    return dataclasses.replace(tape, ops=tape.ops + copies, outputs=outputs)


def aliased(tape: Tape, one: str, other: str) -> Tape | None:
    """Keep two slots in one buffer, in which `one` is updated first; None where `other` goes into it."""
    if not {one, other} <= {*tape.arrays}:
        return tape
    a, b = tape.outputs[one], tape.outputs[other]
    own = _ancestors(tape, a)
    if b.index in own or a.shape != b.shape:
        return None
    first = [op for op in tape.ops if op.out.index in own]
    rest = [op for op in tape.ops if op.out.index not in own]
    # the update of `other` reads what `one` has left there; whatever comes after it reads `other`
    middle = _ancestors(tape, b) - own
    second = [_with(op, {tape.arrays[other].index: a}) for op in rest if op.out.index in middle]
    third = [_with(op, {a.index: b}) for op in rest if op.out.index not in middle]
    outputs = {k: b if k in (one, other) else v for k, v in tape.outputs.items()}
    return dataclasses.replace(tape, ops=first + second + third, outputs=outputs)


REACHES = {
    "both": "",
    "used": ", as it is used and not as it is kept,",
    "kept": ", as it is kept and not as it is used,",
}
"""How far a change of a moment reaches, and how that is said."""
Kind = str
"""What `one_off` calls its edits: "operation", "transposed", or "rate-place", "decay-place" and so on. In those of
"correction-place", "factor-place" and "eps-place" the tape has the number `INSERTED`, which is to be chosen."""
INSERTED = "inserted by a slip"
"""A name that no rule has for one of its numbers."""


def one_off(tape: Tape) -> Iterator[tuple[Kind, str, Tape]]:
    """Yield every tape with one thing wrong: its kind, what it is in words, and the tape.

    An operation is left out or is the opposite one; the rate, the decay or a bias correction enters at another place.
    """
    for i, op in enumerate(tape.ops):
        if op.on_host or op.name in WHOLE:
            continue
        where = _named(tape, op)
        if op.name in REDUCTIONS:
            yield from _measured(tape, i, where)
            continue
        if op.helper is not None:
            yield from _configured(tape, i)
        if op.name in SAID and op.helper is None:
            for kept in dict.fromkeys(op.args):
                if isinstance(kept, Value) and kept.shape == op.out.shape:
                    rest = [*tape.ops[:i], *tape.ops[i + 1 :]]
                    left_out = _reading(tape, rest, {op.out.index: kept}, outputs=True)
                    yield "operation", f"{where} lacks {SAID[op.name]}", left_out
        if op.name in OPPOSITE and op.helper is None:
            other = dataclasses.replace(op, name=OPPOSITE[op.name])
            text = f"{where} has {_verb(OPPOSITE[op.name])} for {_verb(op.name)}"
            yield "operation", text, dataclasses.replace(tape, ops=[*tape.ops[:i], other, *tape.ops[i + 1 :]])
        if op.name == "sign":
            yield "operation", f"the sign of zero is 1 in {where}", _signed_zero(tape, i)
        if op.out.shape == tape.leaf.shape:
            is_slot = any(v == op.out for k, v in tape.outputs.items() if k != "p")
            for reach, told in REACHES.items() if is_slot else [("both", "")]:
                if reach != "kept":  # a kept moment that is divided at every step is no bias correction of anyone's
                    yield "correction-place", f"{where}{told} is divided by", _with_extra(tape, i, "divide", reach)
                yield "factor-place", f"{where}{told} is multiplied by", _with_extra(tape, i, "multiply", reach)
                yield "eps-place", f"eps is added to {where}{told}", _with_extra(tape, i, "add", reach)
                yield "decay-place", f"the decay enters in {where}{told}", _decay_after(tape, i, reach)
            yield "rate-place", f"the rate is applied in {where}", _rate_after(tape, i)
            for told, factor in (("doubled", 2.0), ("halved", 0.5)):
                yield "operation", f"{where} is {told}", _inserted(tape, i, "multiply", factor)
        for name, v in tape.arrays.items():
            if v in op.args:
                yield "operation", f"`{name}` in {where} is doubled", _doubled(tape, i, v)


def _measured(tape: Tape, i: int, where: str) -> Iterator[tuple[Kind, str, Tape]]:
    """Take a norm, or another reduction, of another value of the same shape."""
    op = tape.ops[i]
    makers = {o.out.index: o for o in tape.ops[:i]}
    square = makers.get(op.args[0].index)
    if square is not None and not (square.name == "multiply" and square.args[0] == square.args[1]):
        square = None
    source = op.args[0] if square is None else square.args[0]
    fresh = 1 + max(o.out.index for o in tape.ops)
    for v in (*tape.arrays.values(), *(o.out for o in tape.ops[:i])):
        if v.shape != source.shape or v.boolean or v == source or (square is not None and v == square.out):
            continue
        text = f"{where} is measured of {_value_named(tape, v)}"
        if square is None:
            more, other = [], _with(op, {source.index: v})
        else:
            again = Value(fresh, v.shape)
            more, other = [Op("multiply", (v, v), (), again)], _with(op, {square.out.index: again})
        yield "operation", text, dataclasses.replace(tape, ops=[*tape.ops[:i], *more, other, *tape.ops[i + 1 :]])


def _configured(tape: Tape, i: int) -> Iterator[tuple[Kind, str, Tape]]:
    """Give a helper, wherever it is called, a whole number that is twice or half as large; or another norm."""
    op = tape.ops[i]
    if op.name in (earlier.name for earlier in tape.ops[:i]):
        return
    for name, x in op.attrs:
        if type(x) is int:
            for y, told in ((2 * x, "twice"), (x // 2, "half")):
                ops = [_with_attr(o, name, y) if o.helper is op.helper else o for o in tape.ops]
                yield "operation", f"the {name} of {op.name} is {told} as large", dataclasses.replace(tape, ops=ops)
    if op.name == "newton_schulz" and len(op.out.shape or ()) > 2:
        yield "transposed", "the matrices of a leaf are over the norm of the whole leaf", _whole_norm(tape, i)


def _whole_norm(tape: Tape, i: int) -> Tape:
    """Divide a stack of matrices by its own norm, before an iteration that then divides by none."""
    op = tape.ops[i]
    x, eps = op.args
    fresh = itertools.count(1 + max(o.out.index for o in tape.ops))
    square, over = Value(next(fresh), x.shape), Value(next(fresh), x.shape)
    total, root, norm = (Value(next(fresh), ()) for _ in range(3))
    more = [
        Op("multiply", (x, x), (), square),
        Op("sum", (square,), (), total),
        Op("sqrt", (total,), (), root),
        Op("add", (root, eps), (), norm),
        Op("divide", (x, norm), (), over),
        dataclasses.replace(_with_attr(op, "norm", "none"), args=(over, eps)),
    ]
    return dataclasses.replace(tape, ops=[*tape.ops[:i], *more, *tape.ops[i + 1 :]])


def _rate_after(tape: Tape, i: int) -> Tape:
    """Multiply a result by the rate there, and nowhere else."""
    lr = tape.numbers["lr"]
    ops = [dataclasses.replace(op, args=tuple(1.0 if a == lr else a for a in op.args)) for op in tape.ops]
    return _inserted(dataclasses.replace(tape, ops=ops), i, "multiply", lr)


def _decay_after(tape: Tape, i: int, reach: str) -> Tape:
    """Add the decay to a result; the tape is one without it."""
    p, decay = tape.arrays["p"], tape.numbers["weight_decay"]
    term = Value(2 + max(op.out.index for op in tape.ops), p.shape)
    grown = dataclasses.replace(tape, ops=[Op("multiply", (decay, p), (), term), *tape.ops])
    return _inserted(grown, i + 1, "add", term, reach)


def _with_extra(tape: Tape, i: int, name: str, reach: str) -> Tape:
    """Divide a result by the number `INSERTED`, multiply it by that or add it."""
    number = Value(2 + max(op.out.index for op in tape.ops), None)
    return _inserted(dataclasses.replace(tape, numbers={**tape.numbers, INSERTED: number}), i, name, number, reach)


def _doubled(tape: Tape, i: int, v: Value) -> Tape:
    """Let one operation read twice an array, and all others the array."""
    twice = Value(1 + max(op.out.index for op in tape.ops), v.shape)
    other = _with(tape.ops[i], {v.index: twice})
    ops = [*tape.ops[:i], Op("add", (v, v), (), twice), other, *tape.ops[i + 1 :]]
    return dataclasses.replace(tape, ops=ops)


def _signed_zero(tape: Tape, i: int) -> Tape:
    """Take the sign once more, of the sign and a half."""
    op = tape.ops[i]
    half = Value(1 + max(o.out.index for o in tape.ops), op.out.shape)
    again = Value(half.index + 1, op.out.shape)
    after = _reading(tape, tape.ops[i + 1 :], {op.out.index: again}, outputs=True)
    more = [Op("add", (op.out, 0.5), (), half), Op("sign", (half,), (), again)]
    return dataclasses.replace(after, ops=[*tape.ops[: i + 1], *more, *after.ops])


def _inserted(tape: Tape, i: int, name: str, with_: Value | float, reach: str = "both") -> Tape:
    """Do one more operation on the result of the i-th: whoever uses or keeps that does so with the new result."""
    out = tape.ops[i].out
    more = Value(1 + max(op.out.index for op in tape.ops), out.shape)
    instead = {out.index: more}
    rest = tape.ops[i + 1 :] if reach == "kept" else [_with(op, instead) for op in tape.ops[i + 1 :]]
    outputs = {
        k: instead.get(v.index, v) if reach != ("used" if k != "p" else "kept") else v for k, v in tape.outputs.items()
    }
    ops = [*tape.ops[: i + 1], Op(name, (out, with_), (), more), *rest]
    return dataclasses.replace(tape, ops=ops, outputs=outputs)


def _verb(name: str) -> str:
    return {"add": "a sum", "subtract": "a difference", "multiply": "a product", "divide": "a quotient"}[name]


def _named(tape: Tape, op: Op) -> str:
    """Name the local variable of the rule's text that an operation goes into."""
    for later in [op, *tape.ops[tape.ops.index(op) + 1 :]]:
        if later.out.index in tape.names:
            return f"`{tape.names[later.out.index]}`"
    return "the new parameter"


def _value_named(tape: Tape, value: Value) -> str:
    """Name an array, or the local variable of the rule's text that a result is or goes into."""
    for name, v in tape.arrays.items():
        if v == value:
            return f"`{name}`" if name in ("p", "g") else f"`{name}` of the step before"
    if value.index in tape.names:
        return f"`{tape.names[value.index]}`"
    return f"a part of {_named(tape, next(op for op in tape.ops if op.out == value))}"


def _reading(tape: Tape, ops: list[Op], instead: Mapping[int, Value], outputs: bool = False) -> Tape:
    """Return a tape whose operations read other values."""
    results = {k: instead.get(v.index, v) for k, v in tape.outputs.items()} if outputs else tape.outputs
    return dataclasses.replace(tape, ops=[_with(op, instead) for op in ops], outputs=results)


def _with(op: Op, instead: Mapping[int, Value]) -> Op:
    args = tuple(instead.get(a.index, a) if isinstance(a, Value) else a for a in op.args)
    return dataclasses.replace(op, args=args)


def _with_attr(op: Op, name: str, x: Any) -> Op:
    return dataclasses.replace(op, attrs=tuple((k, x if k == name else v) for k, v in op.attrs))


def _ancestors(tape: Tape, value: Value) -> set[int]:
    """Return the results of operations that a value depends on, itself included."""
    makers = {op.out.index: op for op in tape.ops}
    found: set[int] = set()
    waiting = [value.index]
    while waiting:
        index = waiting.pop()
        if index in makers and index not in found:
            found.add(index)
            waiting += [a.index for a in makers[index].args if isinstance(a, Value)]
    return found
