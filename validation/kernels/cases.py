"""Rules and leaves whose kernels are compiled and run."""

from collections.abc import Iterable, Iterator

from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf
from arrayopt.errors import OptionError
from arrayopt.readers.kernel.parts import cut
from arrayopt.readers.kernel.program import Program
from arrayopt.readers.kernel.source import Source
from tests.common.rules import accepts, exaggerated

SHAPES = {"w": (4, 3), "layer/bias": (6,), "embedding/e": (3, 5), "gamma": (7,), "conv": (2, 3, 2), "scalar": ()}
STEPS = (1, 2, 3)


def each_value(cls: type[Rule]) -> Iterator[Rule]:
    """Yield the rule at exaggerated settings, and with each value of each dialect field in its place."""
    rule = exaggerated(cls)
    yield rule
    for name, values in options.dialects(cls).items():
        for value in values:
            if value != getattr(rule, name):
                yield _with(rule, name, value)


def _with(rule: Rule, name: str, value: object) -> Rule:
    try:
        return rule.replace(**{name: value})
    except OptionError:  # a value that needs another beside it: the first preset that has both
        for preset in type(rule).presets.values():
            if preset.fields.get(name) == value:
                return type(rule)(**preset.fields)
        raise


def programs(rule: Rule, dtype: str) -> Iterator[Program]:
    """Yield what is to be done to leaves of several shapes and names, at the first steps."""
    for path, shape in SHAPES.items():
        if not accepts(rule, shape):
            continue
        leaf = Leaf(path, shape, dtype)
        tapes = {}
        for t in STEPS:
            h = rule.numbers_at(t, leaf)
            tapes.setdefault(tuple((k, x) for k, x in h.items() if not isinstance(x, float)), h)
        for h in tapes.values():
            yield Program(cut(trace(rule, leaf, h, rule.slot_shapes(leaf))))


def sources(rules: Iterable[Rule], dtype: str) -> list[Source]:
    """Return the distinct sources of rules."""
    every = (s for rule in rules for program in programs(rule, dtype) for _, s in program.runs())
    return list({s.signature: s for s in every}.values())
