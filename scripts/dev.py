#!/usr/bin/env python3
"""Set everything up and run it, on a machine that has python3 and nothing else.

usage: python3 scripts/dev.py check [--peers] [-- ARGS]
       python3 scripts/dev.py test [--peers] [PYTEST ARGS]
       python3 scripts/dev.py lint

check   hold the installed peers and the bundled examples against the reference
test    run the test suite, or what the pytest arguments select
lint    check style, types and import contracts

--peers installs the peers of validation/peers/requirements.txt as well (torch, jax, ...: much to download).
The environment is .venv in the root of the repository; delete it to start afresh.
"""

# One file of the standard library alone, long as that makes it: it runs before anything is installed.
# A Python from 3.9 on gets as far as `too_old`, so what needs 3.11 is imported late.
from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "dev-stamp.json"
PYPROJECT = ROOT / "pyproject.toml"
PEERS = ROOT / "validation" / "peers" / "requirements.txt"

OLDEST = (3, 11)
MAX_WORKERS = 8  # more of them cost more in memory than they save in time
LAST_LINES = 20

# What each command installs: a dependency group of pyproject.toml.
GROUPS = {"check": "light-peers", "test": "test", "lint": "dev"}

# Prints the version if this is an environment of its own, recent enough, with a pip that can be imported.
PROBE = f"""
import sys
import pip._internal.cli.main
if sys.prefix == sys.base_prefix or sys.version_info < {OLDEST}:
    sys.exit("not a virtual environment of a recent Python")
print(sys.version.split()[0], sys.implementation.cache_tag)
"""

# Quiet, so that what is left of the output of one that fails is the reason.
PIP_INSTALL = ["install", "--quiet", "--no-input", "--disable-pip-version-check"]

# Settings that would send an installation somewhere else than into .venv.
REDIRECTIONS = ("PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_USER")

Finder = Callable[[str], Optional[str]]


class Stop(Exception):
    """Setting up came to an end; the text says where, and what to do."""


class Way(NamedTuple):
    """A way to make an environment that has pip in it."""

    name: str
    commands: list[list[str]]


def main(argv: Sequence[str]) -> int:
    if sys.version_info < OLDEST:
        print(too_old(sys.version_info, argv, shutil.which), file=sys.stderr)
        return 2
    try:
        command, peers, rest = parse(argv)
        prepare(command, peers)
        return worst(map(job, jobs(command, rest)))
    except Stop as stop:
        print(stop, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def parse(argv: Sequence[str]) -> tuple[str, bool, list[str]]:
    """Return the command, whether the peers are wanted, and the arguments to pass on."""
    command, own, rest = "".join(argv[:1]), list(argv[1:]), []
    if command in ("-h", "--help"):
        print(__doc__)
        raise SystemExit(0)
    if "--" in own:
        at = own.index("--")
        own, rest = own[:at], own[at + 1 :]
    peers = "--peers" in own
    own = [arg for arg in own if arg != "--peers"]
    if command not in GROUPS or (command != "test" and own) or (command == "lint" and (peers or rest)):
        raise Stop(f"dev.py does not understand: {shlex.join(argv) or 'no command'}\n{__doc__}")
    return command, peers, own + rest


def jobs(command: str, rest: list[str]) -> list[list[str]]:
    """Return the commands to run in the environment."""
    python = str(PYTHON)
    if command == "check":
        return [[python, "-m", "validation.examples", *rest]]
    if command == "test":
        return [
            [python, "-m", "pytest", "-n", "auto", "--maxprocesses", str(MAX_WORKERS), "--dist", "worksteal", *rest]
        ]
    return [
        [python, "-m", "ruff", "check"],
        [python, "-m", "ruff", "format", "--check"],
        [python, "-m", "mypy"],
        # Not by its script, which would name the old place of a repository that was moved.
        [python, "-c", "from importlinter.cli import lint_imports_command as main; main()"],
    ]


def job(command: list[str]) -> int:
    """Run a command for the user to see; return its exit code."""
    say(shown(command))
    return subprocess.call(command, cwd=ROOT)


def worst(codes: Iterable[int]) -> int:
    """Return the first exit code that is not 0, having gone through all of them."""
    return next(filter(None, list(codes)), 0)


# --- the environment ---------------------------------------------------------------------------------------


def prepare(command: str, peers: bool) -> None:
    """Bring .venv to what the command needs; quick when it already is."""
    # The root is where an editable installation points to, so a moved repository installs again.
    base = [environment(), str(ROOT), PYPROJECT.read_text(encoding="utf-8")]
    group = GROUPS[command]
    wanted = {group: digest(*base)}
    if peers:
        wanted["peers"] = digest(*base, PEERS.read_text(encoding="utf-8"))
    done = read_stamp(STAMP)
    if wanted.items() <= done.items():
        return

    requirements = ["--editable", str(ROOT), *expand(group, dependency_groups(PYPROJECT))]
    if peers:
        requirements += ["--requirement", str(PEERS)]
    say(f"installing arrayopt with {' and '.join(wanted)} into {VENV.name} (may take minutes)")
    started = time.monotonic()
    failures = []
    for installer in installers(peers, shutil.which):
        failure = attempt([[*installer, *requirements]])
        if not failure:
            STAMP.write_text(json.dumps({**done, **wanted}, indent=1), encoding="utf-8")
            say(f"installed in {time.monotonic() - started:.0f} s")
            return
        failures.append(failure)
    raise Stop("\n".join(failures))


def environment() -> str:
    """Return the version of the Python in .venv, which is made when there is none that can be used."""
    version = probe()
    if version:
        return version
    if os.path.lexists(VENV):
        say(f"{VENV.name} is broken, half made or of an old Python: making it anew")
        remove(VENV)
    failures = []
    for way in ways(has_module, shutil.which):
        say(f"making {VENV.name} with {way.name}")
        failure = attempt(way.commands)
        version = probe()
        if version and not failure:
            return version
        failures.append(failure or f"{way.name} made a {VENV.name} that cannot be used.")
        remove(VENV)
    if failures:
        failures.append(f"{VENV.name} could not be made. Mend what is said above, or type this line")
    else:
        failures.append("This machine has no uv, ensurepip, virtualenv or pip to start from. Type this line")
    raise Stop("\n".join(failures) + f" and then the same command again:\n\n    {remedy(shutil.which)}\n")


def ways(has_module: Callable[[str], bool], which: Finder) -> list[Way]:
    """Return the ways there are on this machine to make an environment, best first."""
    this, there, found = sys.executable, str(VENV), []
    # Started from an environment, maybe the broken one, it is its base that makes the new one.
    base = getattr(sys, "_base_executable", None) or this
    uv = which("uv")
    if uv:
        # Seeded with pip: the peers are installed with it.
        found.append(Way("uv", [[uv, "venv", "--seed", "--python", base, there]]))
    # Debian parts ensurepip from venv, which alone cannot put pip into what it makes.
    if has_module("venv") and has_module("ensurepip"):
        found.append(Way("ensurepip", [[base, "-m", "venv", there]]))
    virtualenv = which("virtualenv")
    if has_module("virtualenv"):
        found.append(Way("virtualenv", [[this, "-m", "virtualenv", "--python", base, there]]))
    elif virtualenv:
        found.append(Way("virtualenv", [[virtualenv, "--python", base, there]]))
    pip = which("pip3") or which("pip")
    if has_module("venv") and (pip or has_module("pip")):
        # With --target any pip will do, of any Python, also one that may not touch its own packages.
        call = [this, "-m", "pip"] if has_module("pip") else [str(pip)]
        site = sysconfig.get_path("purelib", "venv", {"base": there, "platbase": there})
        bare = [base, "-m", "venv", "--without-pip", there]
        found.append(Way("pip", [bare, [*call, *PIP_INSTALL, "--target", site, "pip"]]))
    return found


def installers(peers: bool, which: Finder) -> list[list[str]]:
    """Return the commands that install into .venv, best first."""
    uv = which("uv")
    pip = [str(PYTHON), "-m", "pip", *PIP_INSTALL]
    # Peers come with pip alone: people set it up to find the build of torch for their machine.
    return [[uv, "pip", "install", "--quiet", "--python", str(PYTHON)], pip] if uv and not peers else [pip]


def probe() -> str:
    """Return the version of the Python in .venv, or "" when it cannot be used."""
    try:
        done = subprocess.run([str(PYTHON), "-I", "-c", PROBE], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def remove(path: Path) -> None:
    """Remove a directory, a file or a link, if it is there."""
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
    except OSError as error:
        raise Stop(f"{path} cannot be removed ({error}); remove it by hand.") from error


def has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


# --- what to install, and whether it is there --------------------------------------------------------------


def dependency_groups(pyproject: Path) -> dict[str, list[object]]:
    import tomllib

    try:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise Stop(f"{pyproject.name} is not valid TOML: {error}") from error
    return dict(project.get("dependency-groups", {}))


def expand(group: str, groups: Mapping[str, Sequence[object]], outer: tuple[str, ...] = ()) -> list[str]:
    """Return the requirements of a dependency group, its included groups expanded (PEP 735)."""

    def normal(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    here = normal(group)
    by_name = {normal(name): entries for name, entries in groups.items()}
    if here in outer:
        raise Stop(f"{PYPROJECT.name}: dependency groups include each other: {' -> '.join([*outer, here])}")
    if here not in by_name:
        raise Stop(f"{PYPROJECT.name} has no dependency group {group!r}; it has {', '.join(groups)}")
    found: list[str] = []
    for entry in by_name[here]:
        if isinstance(entry, str):
            found.append(entry)
        elif isinstance(entry, dict) and list(entry) == ["include-group"]:
            found += expand(entry["include-group"], groups, (*outer, here))
        else:
            raise Stop(f"{PYPROJECT.name}: dependency group {group!r} has an entry not known here: {entry}")
    return list(dict.fromkeys(found))


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read_stamp(path: Path) -> dict[str, str]:
    """Return what was installed, by group: the digest of what asked for it."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or cut off while it was written
        return {}
    return stamp if isinstance(stamp, dict) else {}


# --- running, and talking to the user ----------------------------------------------------------------------


def attempt(commands: Sequence[Sequence[str]]) -> str:
    """Run commands quietly; return "", or the first that failed with the end of what it printed."""
    env = {name: value for name, value in os.environ.items() if name not in REDIRECTIONS}
    for command in commands:
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            return f"failed: {shown(command)}\n  {error}"
        if done.returncode:
            lines = done.stdout.splitlines()[-LAST_LINES:]
            return "\n  ".join([f"failed (exit code {done.returncode}): {shown(command)}", *lines])
    return ""


def remedy(which: Finder) -> str:
    """Return the one line that gives this machine a way to make environments."""
    if which("apt-get"):
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        return f"{'' if root else 'sudo '}apt-get install python3.{sys.version_info[1]}-venv"
    if os.name == "nt":
        return 'powershell -ExecutionPolicy ByPass -c "irm https://astral.sh/uv/install.ps1 | iex"'
    return "curl -LsSf https://astral.sh/uv/install.sh | sh"


def too_old(version: Sequence[int], argv: Sequence[str], which: Finder) -> str:
    """Return what to tell the user of a Python that is too old."""
    newer = next((name for minor in range(19, 10, -1) if which(name := f"python3.{minor}")), None)
    start = newer or (which("uv") and "uv run --no-project --python 3.13")
    advice = f"Type: {start} scripts/dev.py {shlex.join(argv)}" if start else "Start it with a newer one."
    have = ".".join(map(str, version[:3]))
    return f"dev.py needs Python {OLDEST[0]}.{OLDEST[1]} or later; this is Python {have}. {advice}"


def shown(command: Sequence[str]) -> str:
    """Return a command as one would type it in the root of the repository."""
    return shlex.join(command).replace(f"{ROOT}{os.sep}", "")


def say(text: str) -> None:
    print(f"dev: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
