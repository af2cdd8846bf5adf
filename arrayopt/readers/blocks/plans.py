"""What leaves that step alike share: a program for as long as its statics stay, and the numbers of the step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf
from arrayopt.readers.blocks import program as programs
from arrayopt.readers.blocks.numbers import Expression, Numbers, compiled, setting
from arrayopt.readers.blocks.program import Program
from arrayopt.readers.blocks.registers import Run, allocate


class Regroup(Exception):
    """`scalars` asked more of a leaf than it had before: leaves that were alike no longer are."""


@dataclass
class Bound:
    """One leaf with the arrays that a step writes."""

    index: int
    leaf: Leaf
    rule: Rule
    arrays: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        """Look at the layout once."""
        self.dtype = self.arrays["p"].dtype
        self.contiguous = all(x.flags.c_contiguous for x in self.arrays.values())
        self.slots = {s: x.shape for s, x in self.arrays.items() if s != "p"}
        self.alike = all(shape == self.leaf.shape for shape in self.slots.values())


class Plan:
    """What a group does while its program stays the same: numbers kept where the jobs read them."""

    def __init__(self, group: "Group", h: Mapping[str, Any], every_step: bool = False) -> None:
        first = group.leaves[0]
        self.h, self.every_step = h, every_step
        self.program: Program = programs.build(first.rule, first.leaf, h, first.slots, every_step)
        self.t = 0
        self.values: dict[int, Any] = programs.host(self.program.tape, h)
        self.elementwise = self.program.elementwise and all(x.alike for x in group.leaves)
        self.multiplies = any(op.helper is not None or op.name == "matmul" for op in self.program.ops)
        if not self.elementwise and len({x.leaf.shape for x in group.leaves}) > 1:
            group.numbers.reads.add("shape")
            raise Regroup
        tape, outputs = self.program.tape, self.program.outputs
        if self.elementwise:
            places = {v.index: f"x_{name}" for name, v in tape.arrays.items()}
            finals = {f"x_{name}": v for name, v in outputs.items() if v != tape.arrays[name]}
            self.run: Run = allocate(self.program.ops, places, finals, {v.index for v in (tape.arrays["g"],)})
            self.scalars = np.empty(len(self.run.scalars), first.dtype)
        self._varying = [k for k, x in self.values.items() if isinstance(x, Expression)]
        self._evaluate = compiled([self.values[k] for k in self._varying])
        with np.errstate(over="ignore"):  # a number beyond the range of the dtype is infinite, as NumPy has it
            self.put({k: x for k, x in self.values.items() if not isinstance(x, Expression)}, literals=True)

    def put(self, values: Mapping[int, float], literals: bool = False) -> None:
        """Set numbers of the tape."""
        self.values.update(values)
        if self.elementwise:
            for i, scalar in enumerate(self.run.scalars):
                if scalar.value is not None and scalar.value in values:
                    self.scalars[i] = values[scalar.value]
                elif literals and scalar.value is None:
                    self.scalars[i] = scalar.literal

    def setter(self) -> Any:
        """Return a function that sets what depends on t."""
        evaluate, varying, put = self._evaluate, self._varying, self.put
        if not self.elementwise:
            return lambda t: put(dict(zip(varying, evaluate(t), strict=True)))
        wanted = [(i, self.values[s.value]) for i, s in enumerate(self.run.scalars) if s.value in varying]
        return setting([x for _, x in wanted], [i for i, _ in wanted], self.scalars)


@dataclass
class Group:
    """Leaves with the same numbers."""

    numbers: Numbers
    reads: frozenset[str]
    leaves: list[Bound] = field(default_factory=list)
    plans: dict[Any, Plan] = field(default_factory=dict)

    def plan(self, t: int) -> Plan:
        """Return the plan of step t, with its numbers set."""
        h = self.numbers.at(t)
        if not self.numbers.reads <= self.reads:
            raise Regroup
        key = programs.key(h)
        if key not in self.plans:
            self.plans[key] = Plan(self, h)
        plan = self.plans[key]
        plan.put(programs.host(plan.program.tape, h))
        return plan
