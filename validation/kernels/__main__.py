"""Compile the kernels of every dialect: `python -m validation.kernels [--only NAMES] [--json FILE]`.

Every dialect of every rule, in four dtypes, at the first steps, for leaves of several shapes; each text is compiled
once by NVRTC for each architecture, without a device. The exit status is 0 if all compile, 2 if there is no NVRTC.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from arrayopt.core.rule import Rule
from arrayopt.firstorder import RULES
from arrayopt.readers.kernel.source import KINDS
from tests.common.rules import every_dialect
from validation.kernels import compiling
from validation.kernels.cases import sources
from validation.kernels.compiling import ARCHITECTURES, CannotCompile, missing

AT_ONCE = 100
"""Kernels in one compilation."""


@dataclass(frozen=True)
class Row:
    """What became of the kernels of a rule in a dtype: a line of the table."""

    rule: str
    dtype: str
    dialects: int
    many: int
    one: int
    seconds: float
    error: str


def row(cls: type[Rule], dtype: str) -> Row:
    """Compile all that a rule needs: kernels for many leaves, and in CuPy's text those for one that broadcast."""
    began, dialects = time.perf_counter(), list(every_dialect(cls))
    found = sources(dialects, dtype)
    many = list({s.many().name: s.many() for s in found if not s.broadcasts}.values())
    one = list({s.one.name: s.one for s in found if s.broadcasts}.values())
    error = ""
    try:
        for architecture in ARCHITECTURES:
            for n in range(0, len(many), AT_ONCE):
                part = many[n : n + AT_ONCE]
                lost = missing(part, compiling.compiled((k.text for k in part), architecture))
                error = error or " ".join(lost)
            if one:
                error = error or " ".join(missing(one, compiling.compiled_as_cupy_does(one, architecture)))
    except AssertionError as problem:
        error = str(problem)
    return Row(cls.__name__, dtype, len(dialects), len(many), len(one), time.perf_counter() - began, error)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.kernels", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[cls.__name__ for cls in RULES], metavar="RULE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    try:
        version = compiling.nvrtc().getVersion()
    except CannotCompile as reason:
        print(f"nothing was compiled: {reason}")
        return 2
    print(f"NVRTC {version[0]}.{version[1]}, {' and '.join(ARCHITECTURES)}")
    print(f"{'rule':12} {'dtype':9} {'dialects':>8} {'many':>6} {'one':>6} {'s':>6}")
    rows = []
    for cls in RULES:
        for dtype in KINDS if cls.__name__ in given.only else ():
            rows.append(r := row(cls, dtype))
            print(f"{r.rule:12} {r.dtype:9} {r.dialects:8} {r.many:6} {r.one:6} {r.seconds:6.1f} {r.error}", flush=True)
    failed = [r for r in rows if r.error]
    print(
        f"{sum(r.many + r.one for r in rows)} kernels for each architecture; {len(failed)} of {len(rows)} rows failed"
    )
    if given.json:
        given.json.write_text(json.dumps({"nvrtc": version, "rows": [asdict(r) for r in rows]}, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
