"""Leaves that step alike, taken together: from a tree of arrays to lists of jobs for threads.

Leaves whose numbers come from the same rule, and whose `scalars` do not tell them apart, form a group: its numbers
are evaluated once a step. A group's elementwise program is one stream of blocks over all of its leaves.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from array_api_compat import numpy as xp

from arrayopt.backend import Array
from arrayopt.core import trees
from arrayopt.core.optimizer import PerLeaf
from arrayopt.readers.blocked import Bank
from arrayopt.readers.blocks import threads
from arrayopt.readers.blocks.chain import Chain
from arrayopt.readers.blocks.layout import check_apart, check_writeable, root
from arrayopt.readers.blocks.numbers import Numbers
from arrayopt.readers.blocks.plans import Bound, Group, Plan, Regroup
from arrayopt.readers.blocks.stacks import Stack, stackable


class Prepared:
    """A rule bound to arrays: calling it with t and gradients takes a step.

    Parameters
    ----------
    engine : Engine
        What makes jobs of runs.
    rule : PerLeaf
        The rule, or a `Partition`.
    leaves, slots : mapping
        Parameters by path, and slots by name and path.
    most : int or None
        Threads to use, or None for as many as pay.
    """

    def __init__(
        self, engine: Any, rule: PerLeaf, leaves: Mapping[str, Array], slots: Mapping[str, Mapping[str, Array]],
        most: int | None,
    ) -> None:  # fmt: skip
        self.engine = engine
        held = [("params", path, x) for path, x in leaves.items()]
        held += [(f"slot {s!r} of", path, by[path]) for s, by in slots.items() for path in leaves if path in by]
        check_writeable(held)
        check_apart(held, [])
        self._held, self._roots = held, {id(root(x)) for _, _, x in held}
        self._paths = list(leaves)
        self._whole: list[Bound] = []  # the pure rule steps these
        self._bound: list[Bound] = []
        for i, (path, p) in enumerate(leaves.items()):
            leaf = trees.describe(path, p)
            arrays = {"p": p, **{s: by[path] for s, by in slots.items() if path in by}}
            bound = Bound(i, leaf, rule.for_leaf(leaf), arrays)
            (self._whole if leaf.dtype == "bfloat16" else self._bound).append(bound)
        self._known: dict[Any, frozenset[str]] = {}
        self._trial = threads.Trial(threads.cores() if most is None else 1)
        self._most = most
        self._grads: Sequence[np.ndarray] | None = None
        self._group()

    def _group(self) -> None:
        groups: dict[Any, Group] = {}
        for x in self._bound:
            kind = id(x.rule), x.leaf.dtype, tuple(x.slots), x.alike
            reads = self._known.get(kind)
            if reads is None:
                reads = self._known[kind] = frozenset(Numbers(x.rule, x.leaf).reads)
            shape = x.leaf.shape if "shape" in reads or not x.alike else None
            key = (*kind, shape, x.leaf.path if "path" in reads else None)
            if key not in groups:
                numbers = Numbers(x.rule, x.leaf)
                groups[key] = Group(numbers, frozenset({*reads, *numbers.reads}))
            groups[key].leaves.append(x)
        self._kinds = {id(g): k[:4] for k, g in groups.items()}
        self._groups = list(groups.values())
        try:
            self._fixed = [
                (g, Plan(g, g.numbers.symbolic, every_step=True))
                for g in self._groups
                if g.numbers.symbolic is not None
            ]
        except Regroup:
            self._regroup()
            return
        self._setters = [plan.setter() for _, plan in self._fixed]
        self._changing = [g for g in self._groups if g.numbers.symbolic is None]
        self._lists: list[list[Any]] = []
        self._quick: list[Any] | None = None
        self._made: Any = None

    def _regroup(self) -> None:
        """Group anew, by what `scalars` and the programs have turned out to depend on."""
        for g in self._groups:
            self._known[self._kinds[id(g)]] |= g.numbers.reads
        self._group()

    def __call__(self, t: int, grads: Sequence[np.ndarray]) -> None:
        """Take step t along gradients in the order of the leaves; the same list as before means the same arrays."""
        if grads is not self._grads:
            self._check(grads)
        elif self._quick is not None:
            for set_ in self._setters:
                set_(t)
            for job in self._quick:
                job()
            return
        for set_ in self._setters:
            set_(t)
        changing: list[Plan] = []
        if self._changing:
            try:
                changing = [g.plan(t) for g in self._changing]
            except Regroup:
                self._regroup()
                return self(t, grads)
        count = self._most or self._trial.count
        made = (count, [id(p) for p in changing]) if changing else count
        if made != self._made:
            self._lists = self._jobs(count, [p for _, p in self._fixed] + changing)
            self._made, self._grads, self._quick = made, None, None
            self._general = [p for p in (*(p for _, p in self._fixed), *changing) if not p.elementwise]
        if grads is not self._grads:
            for jobs in self._lists:
                for job in jobs:
                    job.take(grads)
            self._grads = grads
        for plan in self._general:
            plan.t = t
        if self._whole:
            self._pure(t, grads)
        if self._trial.settled:
            threads.run(self._lists)
        else:
            start = threads.clock()
            threads.run(self._lists)
            self._trial.took(threads.clock() - start)
        alone = self._trial.settled and len(self._lists) == 1
        if alone and not (self._changing or self._whole or self._general):
            self._quick = self._lists[0]  # nothing but numbers is left to do before the jobs

    def _check(self, grads: Sequence[np.ndarray]) -> None:
        """Refuse gradients that share memory with what is written."""
        near = [i for i, g in enumerate(grads) if g.base is not None or id(g) in self._roots]
        if near:
            check_apart(self._held, [("grads", self._paths[i], grads[i]) for i in near])

    def _pure(self, t: int, grads: Sequence[np.ndarray]) -> None:
        """Step as the pure rule does where NumPy has no arithmetic, and copy."""
        new = [x.rule.on_leaf(xp, t, x.leaf, grads[x.index], x.arrays["p"], _slots(x)) for x in self._whole]
        for x, (p, slots) in zip(self._whole, new, strict=True):
            for name, y in {"p": p, **slots}.items():
                x.arrays[name][...] = y

    def _jobs(self, count: int, plans: Sequence[Plan]) -> list[list[Any]]:
        """Share the work of some plans among threads, by elements."""
        groups = [g for g, _ in self._fixed] + self._changing
        units: list[tuple[Plan, Sequence[Bound], int, int]] = []
        for group, plan in zip(groups, plans, strict=True):
            units += [(plan, *unit) for unit in self._units(group, plan, count)]
        total = sum(stop - start for *_, start, stop in units)
        if self._most is None and total <= self.engine.block(4, 1):
            count, self._trial.settled = 1, True  # one block: nothing to share
        lists = []
        for share in _shared(units, count, total):
            bank = Bank(1)
            jobs: list[Any] = []
            for plan in dict.fromkeys(p for p, *_ in share):
                mine = [unit for p, *unit in share if p is plan]
                dtype = mine[0][0][0].dtype
                bank.block = self.engine.block(dtype.itemsize, count)
                if plan.elementwise:
                    jobs += self.engine.jobs(plan.run, plan.scalars, mine, bank)
                else:
                    jobs += [self._whole_job(plan, leaves, bank) for leaves, *_ in mine]
            lists.append(jobs)
            for job in jobs:
                if isinstance(job, (Chain, Stack)):
                    bank.reserve(job.room)
        return [jobs for jobs in lists if jobs] or [[]]

    def _whole_job(self, plan: Plan, leaves: Sequence[Bound], bank: Bank) -> Any:
        if len(leaves) > 1:
            return Stack(plan, leaves, bank, self.engine)
        return Chain(plan, leaves[0], bank, self.engine)

    def _units(self, group: Group, plan: Plan, count: int) -> list[tuple[Sequence[Bound], int, int]]:
        if not plan.elementwise and not stackable(plan, group.leaves[0]):  # an empty leaf may have slots that are not
            return [([x], 0, max(1, x.leaf.size)) for x in group.leaves]
        leaves = [x for x in group.leaves if x.leaf.size]
        full = self.engine.block(leaves[0].dtype.itemsize, count) if leaves else 1
        units: list[tuple[Sequence[Bound], int, int]] = []
        batch: list[Bound] = []
        size = 0
        for x in leaves:
            if not x.contiguous or x.leaf.size > full // 2:
                units.append(([x], 0, x.leaf.size))
                continue
            if size + x.leaf.size > full and batch:
                units.append((batch, 0, size))
                batch, size = [], 0
            batch.append(x)
            size += x.leaf.size
        return [*units, (batch, 0, size)] if batch else units


def _slots(x: Bound) -> dict[str, np.ndarray]:
    return {s: y for s, y in x.arrays.items() if s != "p"}


def _shared(units: Sequence[Any], count: int, total: int) -> list[list[Any]]:
    """Cut a list of units into `count` lists of about equal size; long leaves are cut, others are not."""
    shares: list[list[Any]] = [[] for _ in range(count)]
    done = 0
    for plan, leaves, start, stop in units:
        if plan.multiplies:  # a BLAS has threads of its own
            shares[0].append((plan, leaves, start, stop))
            done += stop - start
            continue
        cut = plan.elementwise and len(leaves) == 1
        while start < stop:
            k = min(count - 1, done * count // total)
            end = stop if not cut or k == count - 1 else min(stop, start + max(1, -(-total * (k + 1) // count) - done))
            shares[k].append((plan, leaves, start, end))
            done += end - start
            start = end
    return shares
