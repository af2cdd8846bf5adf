"""Mutation testing of the modules that everything rests on, each with the tests of that module.

``python -m scripts.mutants`` takes some ten minutes on two cores and needs the groups dev and test; name modules to run
fewer, as in ``python -m scripts.mutants arrayopt/firstorder/lion.py``. It works on copies. mutmut passes over decorated
functions, and most of the core is marked ``@final``, which does nothing at run time: the copy goes without the marks.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
MODULES = SETTINGS["only_mutate"]
COUNTED = ("total", "killed", "survived", "timeout", "no_tests")


def tests_of(module: str) -> tuple[list[str], str]:
    """The files that hold the tests of a module, and what pytest's -k selects there."""
    name, every_rule = Path(module).stem, "tests/common/test_every_rule.py"
    light = SETTINGS["pytest_add_cli_args"][-1]
    if "/core/" in module:
        return ["tests/core/test_rule.py", "tests/core/test_state.py", every_rule], light
    rule = name.capitalize()
    return [f"tests/firstorder/test_{name}.py", every_rule], f"(test_{name} or [{rule}] or -{rule}]) and {light}"


def run(module: str, place: Path) -> dict[str, int]:
    """Mutate one module in a copy of the checkout, print the mutants that no test noticed, and count."""
    for name in ("arrayopt", "tests"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (place / "arrayopt").rglob("*.py"):
        file.write_text(re.sub(r"^ +@final\n", "", file.read_text("utf-8"), flags=re.MULTILINE), "utf-8")
    files, selected = tests_of(module)
    settings = SETTINGS | {
        "only_mutate": [module],
        "pytest_add_cli_args_test_selection": files,
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-k", selected],
    }
    others = (ROOT / "pyproject.toml").read_text("utf-8").partition("[tool.mutmut]")[0]
    lines = [f"{k} = {json.dumps(v)}" for k, v in settings.items()]
    (place / "pyproject.toml").write_text("\n".join([others + "[tool.mutmut]", *lines, ""]), "utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def mutmut(*args: str) -> str:
        command = [sys.executable, "-m", "mutmut", *args]
        return subprocess.run(command, cwd=place, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    mutmut("run", "--max-children", "2")
    mutmut("export-cicd-stats")
    for line in mutmut("results").splitlines():
        name, _, verdict = line.strip().partition(": ")
        print(f"{verdict}: {mutmut('show', name)}", flush=True)
    return json.loads((place / "mutants" / "mutmut-cicd-stats.json").read_text("utf-8"))


def main(modules: list[str]) -> None:
    """Run and print a row for each module."""
    rows = []
    for module in modules or MODULES:
        with tempfile.TemporaryDirectory() as place:
            counts = run(module, Path(place))
        rows.append([module, *(str(counts[k]) for k in COUNTED)])
    for row in [["module", *COUNTED], *rows]:
        print(f"{row[0]:30}", *(f"{x:>8}" for x in row[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
