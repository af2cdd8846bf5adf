"""`arrayopt explain` and `arrayopt list`: what the rules are."""

import inspect
from typing import Annotated

import typer

from arrayopt.cli.rules import rule_named
from arrayopt.cli.tables import table
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf
from arrayopt.firstorder import RULES
from arrayopt.readers.cost import cost
from arrayopt.readers.formula import LEAF, formula, host_numbers, latex


def explain(
    rule: Annotated[str, typer.Argument(help="A rule, such as adamw.")],
    as_latex: Annotated[bool, typer.Option("--latex", help="Print the update in LaTeX and nothing else.")] = False,
) -> None:
    """Print a rule: its update, hyper-parameters, dialects and who speaks them, state and cost."""
    cls = rule_named(rule)
    if as_latex:
        print(latex(cls()))  # type: ignore[call-arg]
        return
    print(explanation(cls))


def list_rules() -> None:
    """List the rules: slots per parameter, bytes moved per float32 element, presets."""
    rows = []
    for cls in RULES:
        c = cost(cls())  # type: ignore[call-arg]
        rows.append(
            (cls.__name__.lower(), f"{c.slots:.3g}", f"{c.bytes(4):.3g}", ", ".join(cls.presets), _sentence(cls))
        )
    table(("rule", "slots", "bytes", "presets", "what"), rows)


def explanation(cls: type[Rule]) -> str:
    """Return what `explain` prints."""
    rule = cls()  # type: ignore[call-arg]
    c = cost(rule)
    equations = formula(rule)
    lines = [f"{cls.__name__}: {_sentence(cls)}", "", *(f"    {e.plain()}" for e in equations), ""]
    steps = {t: host_numbers(rule, equations, t) for t in (1, 10, 1000)}
    if steps[1]:
        lines.append(f"computed once a step, in float64, here for a leaf of {' x '.join(map(str, LEAF.shape))}")
        for k in steps[1]:
            lines.append(f"    {k:<16} {', '.join(f'{h[k]:.6g} at t = {t}' for t, h in steps.items())}")
        lines.append("")
    lines.append("hyper-parameters")
    for name, interval in options.numbers(cls).items():
        high = "inf" if interval.high == float("inf") else f"{interval.high:g}"
        lines.append(f"    {name:<16} {getattr(rule, name)!r:<10} in [{interval.low:g}, {high})")
    lines += ["", "dialects (the first is the default)"]
    for name, values in options.dialects(cls).items():
        default = getattr(rule, name)
        shown = [f"{v} ({', '.join(who)})" if (who := _speakers(cls, name, v)) else str(v)
                 for v in (default, *(v for v in values if v != default))]  # fmt: skip
        lines.append(f"    {name:<16} {', '.join(shown)}")
    lines += ["", "presets", *(f"    {k:<18}{p.source}" for k, p in cls.presets.items()), ""]
    starts = rule.slots(Leaf("w", (64, 64), "float32"))
    lines.append(f"state             {', '.join(starts) or 'none'}: {c.slots:.3g} numbers per parameter")
    helpers = f" besides {', '.join(c.opaque)}" if c.opaque else ""
    lines.append(f"cost per element  {c.bytes(4):.3g} bytes in float32, {c.flops:.3g} operations{helpers}")
    return "\n".join(lines)


def _sentence(cls: type) -> str:
    first = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")
    return first.removeprefix(f"{cls.__name__}: ")


def _speakers(cls: type[Rule], name: str, value: object) -> list[str]:
    return [k for k, p in cls.presets.items() if p.fields.get(name, getattr(cls(), name)) == value]  # type: ignore[call-arg]
