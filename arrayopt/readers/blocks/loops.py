"""A run as one fused loop in the source language of numba, with NumPy's bits.

All of a row's arrays are read, the operations done on numbers of the leaf's dtype, the results written. What NumPy
does with the sign of a zero in `maximum` and `minimum` depends on the machine and is looked up on it.
"""

import functools
from typing import Any

import numpy as np

from arrayopt.readers.blocks.registers import Instruction, Run

OPERATIONS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "abs": "abs({0})",
    "square": "{0} * {0}",
    "sqrt": "sqrt({0})",
    "copy": "{0}",
    "sign": "(ONE if {0} > ZERO else (-ONE if {0} < ZERO else (ZERO if {0} == ZERO else {0})))",
    "where": "({1} if {0} else {2})",
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
    "isnan": "{0} != {0}",
    "isfinite": "{0} - {0} == ZERO",
    "isinf": "abs({0}) == INFINITY",
    "logical_and": "{0} and {1}",
    "logical_or": "{0} or {1}",
    "logical_not": "not {0}",
}
"""What rounds correctly, or not at all; NumPy's exp, log and tanh have bits of their own."""

_FIRST, _SECOND = "({0} if {0} {2} {1} or {0} != {0} else {1})", "({1} if {1} {2} {0} or {1} != {1} else {0})"


@functools.cache
def extremum(name: str, dtype: Any) -> str | None:
    """Return `maximum` or `minimum` as NumPy computes it here, None where it does not follow one pattern."""
    negative, positive = (np.full(37, z, dtype) for z in (-0.0, 0.0))
    signs = [np.signbit(getattr(np, name)(*pair)) for pair in ((negative, positive), (positive, negative))]
    if not all(np.all(s == s[0]) for s in signs):
        return None
    symbol = ">" if name == "maximum" else "<"
    match bool(signs[0][0]), bool(signs[1][0]):
        case False, True:  # the second one of two zeros
            return _FIRST.replace("{2}", symbol)
        case True, False:
            return _SECOND.replace("{2}", symbol)
    return None


def template(name: str, dtype: Any) -> str | None:
    """Return an operation as an expression, None where it cannot be compiled to NumPy's bits."""
    return extremum(name, dtype) if name in ("maximum", "minimum") else OPERATIONS.get(name)


def can_compile(run: Run, dtype: Any) -> bool:
    """Tell whether a run can be compiled to NumPy's bits."""
    return dtype in (np.float32, np.float64) and all(template(i.name, dtype) for i in run.instructions)


def source(name: str, run: Run, dtype: Any) -> str:
    """Return the source of a function ``name(table, lengths, rows, s)``.

    All but the count of rows are addresses, for handing over a number is quicker than handing over an array. `table`
    has a row per stretch of memory and a column per array of ``run.inputs``, with addresses; `lengths` counts the
    elements of each row; `s` holds the numbers.
    """
    arrays = list(run.inputs)
    lines = [f"def {name}(table, lengths, rows, s):"]
    lines += [f"    table = carray(pointer(table), (rows, {len(arrays)}), ADDRESS)"]
    lines += ["    lengths = carray(pointer(lengths), (rows,), LENGTH)"]
    lines += [f"    s = carray(pointer(s), ({max(1, len(run.scalars))},), DTYPE)"]
    lines += [f"    s{k} = s[{k}]" for k in range(len(run.scalars))]
    lines += ["    for row in range(rows):", "        n = lengths[row]"]
    lines += [
        f"        {a} = carray(pointer(table[row, {k}]), (n,), {'MASK' if a in run.masks else 'DTYPE'})"
        for k, a in enumerate(arrays)
    ]
    lines += ["        for i in range(n):"]
    lines += [f"            v{a} = {a}[i]" for a in arrays]
    lines += [f"            {_assignment(i, dtype)}" for i in run.instructions]
    lines += [f"            {a}[i] = v{a}" for a in run.written]
    return "\n".join(lines) + "\n"


def _assignment(i: Instruction, dtype: Any) -> str:
    args = [f"v{a}" if a[0] == "x" else a for a in i.args]
    if i.args[0][0] == "s" and i.name == "where":
        args[0] += " != ZERO"
    out = f"v{i.out}" if i.out[0] == "x" else i.out
    return f"{out} = {(template(i.name, dtype) or '').format(*args)}"
