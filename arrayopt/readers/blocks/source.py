"""A run as generated Python: one call of a ufunc after the other, on blocks."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from arrayopt.readers.blocks.program import UFUNCS
from arrayopt.readers.blocks.registers import Instruction, Run

Block = Callable[..., None]


def block_function(run: Run, scalars: tuple[np.ndarray, ...]) -> Block:
    """Return a function of the blocks of ``run.inputs`` and of its registers that replays the run on them.

    Parameters
    ----------
    run : Run
        What to replay.
    scalars : tuple of array
        0-d arrays of the leaf's dtype that hold the numbers ``s0``, ``s1``, ... whenever the function is called.
        NumPy takes them twice as fast as Python floats, and rounds a Python float in the same way.
    """
    result: Block = _compiled(run)(*scalars)
    return result


@functools.lru_cache(1024)
def _compiled(run: Run) -> Callable[..., Block]:
    scratch = [f"r{i}" for i in range(run.registers)] + [f"b{i}" for i in range(run.booleans)]
    body = [line for i in run.instructions for line in _lines(i)] or ["pass"]
    text = "\n".join(
        [
            f"def bind({', '.join(f's{i}' for i in range(len(run.scalars)))}):",
            f"    def block({', '.join([*run.inputs, *scratch])}):",
            *(f"        {line}" for line in body),
            "    return block",
        ]
    )
    space: dict[str, Any] = {**UFUNCS, "copyto": np.copyto}
    exec(text, space)  # nothing but the lines above
    result: Callable[..., Block] = space["bind"]
    return result


def _lines(i: Instruction) -> list[str]:
    if i.name == "copy":
        return [f"copyto({i.out}, {i.args[0]})"]
    if i.name == "where":  # np.where has no `out`
        condition, x, y = i.args
        if condition[0] == "s":  # one condition for all, kept as a number
            condition += " != 0"
        return [f"copyto({i.out}, {y})"] * (i.out != y) + [f"copyto({i.out}, {x}, 'same_kind', {condition})"]
    # positional is quicker, but deprecated for these two
    out = f"out={i.out}" if i.name in ("maximum", "minimum") else i.out
    return [f"{i.name}({', '.join(i.args)}, {out})"]
