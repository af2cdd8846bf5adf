"""Write the pages of the documentation that say what the code says: `python -m scripts.pages [--check]`.

With --check nothing is written; the exit status is 1 if a page is not what would be written.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from arrayopt import Adam, Clip
from arrayopt.claims import CLAIMS, KNOWN
from arrayopt.claims.report import page
from arrayopt.conformance.causes import KINDS
from arrayopt.conformance.compare import SLACK
from arrayopt.conformance.consistency import CHECKS
from arrayopt.conformance.diagnosis.diagnose import MARGIN
from arrayopt.conformance.probes import EXAGGERATED, SLOW, Probe, non_finite, probes_for
from arrayopt.core import options
from arrayopt.firstorder import RULES

DOCS = Path(__file__).resolve().parents[1] / "docs"


def diagnosis() -> str:
    """Return the page on what `check` does: its probes, its checks and the causes that it names."""
    probes = [*probes_for(Adam()), non_finite(Adam())]
    return "\n".join(
        [
            "# What `arrayopt check` does",
            "",
            "<!-- Written by `python -m scripts.pages`: the tables are those of the code. -->",
            "",
            "A candidate is a map from gradients to parameters: it is made from parameters, and takes steps. It is run",
            "through a few small designed experiments, the probes, and what it did is held against rules. What is",
            f"compared is the displacement from the start; two agree within {SLACK:g} rounding bounds of the",
            "precision that the candidate computes in, which the rounding reader computes from the text of the rule.",
            "No tolerance is chosen by hand.",
            "",
            "Then it is named. The dialects of the rule that it claims are searched, every value of every field; then",
            "values of hidden constants, other rules of the family, the slips below, and numbers fitted by least",
            "squares on the displacements. A name counts only if the model agrees in every probe that ran. Dialects",
            "that no probe parts are reported as one set, and none is named if another comes within a factor of",
            f"{MARGIN:g}. Without a rule to hold it against, all {len(RULES)} are tried.",
            "",
            "## Probes",
            "",
            "Hyper-parameters are exaggerated where the candidate declares them, because random gradients at ordinary",
            f"settings hide most mistakes: {_numbers(EXAGGERATED)}; in probe Q {_numbers(SLOW)}.",
            "",
            *_table(("probe", "steps", "leaves", "reveals", "passes wrongly"), map(_row, probes)),
            "",
            "N says what happens to numbers that are not finite; it is told as a note and does not count for the",
            "verdict.",
            "Clipping is searched around each rule, by "
            + ", ".join(options.dialects(Clip)["by"])
            + " and in the forms "
            + ", ".join(options.dialects(Clip)["form"])
            + ".",
            "",
            "## Checks that need no rule",
            "",
            "Every candidate is put to these, whether there is a rule for it or not.",
            "",
            *_table(
                ("check", "reveals", "passes wrongly"), ((f"`{c.name}`", c.reveals, c.misses) for c in CHECKS.values())
            ),
            "",
            "## Causes",
            "",
            "What a report has under `causes`, beside the checks above.",
            "",
            *_table(("kind", "what it says"), ((f"`{k}`", text) for k, text in KINDS.items())),
            "",
        ]
    )


def claims() -> str:
    """Return the page of claims."""
    return page(CLAIMS, KNOWN)


PAGES: Mapping[str, object] = {"claims.md": claims, "diagnosis.md": diagnosis}


def _row(p: Probe) -> tuple[str, ...]:
    shapes = ", ".join("x".join(map(str, x.shape)) for x in p.params.values())
    return p.name, str(len(p.gradients)), shapes, p.reveals, p.misses


def _numbers(hyper: Mapping[str, float]) -> str:
    return ", ".join(f"{k} {v:g}" for k, v in hyper.items())


def _table(header: Sequence[str], rows: Iterator[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.pages", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, say which pages are out of date")
    given = parser.parse_args(arguments)
    stale = []
    for name, write in PAGES.items():
        path, text = DOCS / name, write()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not given.check:
                path.write_text(text, encoding="utf-8")
                print(f"wrote docs/{name}")
    if given.check and stale:
        print(f"out of date: {', '.join(stale)}; run python -m scripts.pages")
    return 1 if given.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
