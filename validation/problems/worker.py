"""The child: `python -m validation.problems.worker SPEC FILE` runs solvers on a block of problems.

SPEC is JSON: the suite, the seconds that a run may take, and for each problem its solvers. A line of JSON is added to
FILE when a run starts, another when it has ended, and one where a problem cannot be had.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from validation.problems import nist, suites
from validation.problems.counting import Counter
from validation.problems.problem import Array, Problem
from validation.problems.running import run
from validation.problems.s2mpj import NotLoadedError
from validation.problems.solvers import SOLVERS, Solver


def main() -> None:
    spec = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    suite, parent = suites.Suite(**spec["suite"]), os.getppid()
    with Path(sys.argv[2]).open("a", encoding="utf-8") as out:
        for name, solvers in spec["problems"].items():
            try:
                problem, x0 = suites.load(name, suite)
            except NotLoadedError as error:
                write(out, {"kind": "absent", "problem": name, "reason": str(error)})
                continue
            for solver in solvers:
                if os.getppid() != parent:
                    return  # nobody is left to end this process if it has to be
                write(out, {"kind": "start", "problem": name, "solver": solver, "at": time.time()})
                row = measured(SOLVERS[solver], problem, x0, suite, spec["seconds"])
                write(out, {"kind": "run", "problem": name, "solver": solver, **row})


def measured(solver: Solver, problem: Problem, x0: Array, suite: suites.Suite, seconds: float) -> dict[str, Any]:
    """Run a solver on a problem; return what is to be told."""
    limits = suite.limits
    began = time.process_time()
    counter = Counter(problem, limits.cap, seconds, suite.precision, suite.scale, limits.gtol)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        ended = run(solver, counter, x0, limits.gtol)
        f, g = counter.look(ended.x)
    row = {
        "n": problem.n,
        "ending": ended.ending,
        "said": ended.said,
        "evaluations": counter.evaluations,
        "hessians": counter.hessians,
        "f0": float(counter.look(x0)[0]),
        "f": float(f),
        "gmax": float(np.max(np.abs(g))),
        "falls": counter.tail(limits.share),
        "small": counter.small,
        "within": counter.within,
        "dtype": str(np.asarray(ended.x).dtype),
        "seconds": round(time.process_time() - began, 2),
    }
    return {**row, "digits": round(nist.digits(problem.name, ended.x), 1)} if suite.problems == "nist" else row


def write(out: TextIO, line: dict[str, Any]) -> None:
    out.write(json.dumps(line) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
