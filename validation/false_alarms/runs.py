"""What is run: for each rule and seed one order of operations in one precision, all combinations in turn."""

import itertools
import time
from dataclasses import asdict, dataclass

from arrayopt.firstorder import RULES
from validation.false_alarms.agreement import agrees_with, conforms
from validation.false_alarms.orders import ORDERS
from validation.false_alarms.port import Order, candidate
from validation.false_alarms.precision import PRECISIONS

BY_NAME = {rule.__name__: rule for rule in RULES}
WHOLE = 5
"""For how many seeds of each combination the whole of `check` is run."""


@dataclass(frozen=True)
class Result:
    """One run: what, on which seed, and how it came out; `worst` is the largest |off| / bound, met at `where`."""

    rule: str
    order: str
    precision: str
    seed: int
    alarms: list[str]
    worst: float
    where: str
    undecided: float
    blind: float
    scalar_unit: float
    whole: bool
    seconds: float

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def combinations(rule: str) -> list[tuple[Order, str]]:
    """Return every order of operations of a rule in every precision."""
    return list(itertools.product(ORDERS[rule], PRECISIONS))


def one(rule: str, seed: int, whole: int = WHOLE) -> Result:
    """Run the combination whose turn it is, and the whole of `check` the first `whole` times that it is."""
    every = combinations(rule)
    order, precision = every[seed % len(every)]
    began = time.process_time()
    subject, reference = candidate(BY_NAME[rule], order, precision), BY_NAME[rule]()
    found = agrees_with(subject, reference, seed)
    wholly = seed // len(every) < whole
    alarms = found.alarms + (conforms(subject, reference, seed) if wholly else [])
    return Result(
        rule, order.name, precision, seed, alarms, found.ratio, found.where, found.undecided, found.blind,
        found.scalar_unit, wholly, time.process_time() - began,
    )  # fmt: skip


def block(task: tuple[str, range, int]) -> list[Result]:
    """Run the seeds of a range: a task for a process."""
    rule, seeds, whole = task
    return [one(rule, seed, whole) for seed in seeds]
