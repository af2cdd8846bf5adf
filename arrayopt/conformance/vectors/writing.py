"""`export`: write the vectors of a rule to a directory."""

import hashlib
import re
from pathlib import Path
from typing import Any

from arrayopt.conformance.probes import probes_for
from arrayopt.conformance.vectors import form
from arrayopt.conformance.vectors.described import about, check_numbers
from arrayopt.conformance.vectors.vector import to_json, varied
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.errors import OptionError

INDEX_FILE = "index.json"


def export(rule: Rule, directory: Path, *, seed: int = 0) -> list[Path]:
    """Write the test vectors of a rule: one JSON file a probe, and ``index.json``, which lists them.

    The files hold all that a consumer in any language needs: parameters, gradients, hyper-parameters, the parameters
    that the rule arrives at after each step, and how far off each may be. docs/vectors.md has their form. They are the
    same bytes whenever the same rule and seed are exported.

    Parameters
    ----------
    rule : Rule
        The rule in its dialect. Its hyper-parameters are those of some probes; others set exaggerated ones. A
        hyper-parameter that is zero stays zero, so that an implementation need not have it: give
        ``weight_decay=0.01`` to get vectors with decay.
    directory : Path
        Where to write; made if it does not exist. Files of the same names are replaced, each whole or not at all.
    seed : int
        Seed of the random probes.

    Returns
    -------
    list of Path
        The files, the index last.

    Raises
    ------
    OptionError
        If `rule` is no rule, one of its numbers is a schedule, or the seed is no integer >= 0.
    VectorError
        If the directory or a file in it cannot be written.
    """
    if not isinstance(rule, Rule):
        raise OptionError(f"export: rule must be a rule such as Adam(), got {rule!r}")
    options.check_count("export", "seed", seed, least=0)
    check_numbers(rule)
    described = about(rule)
    texts: dict[str, str] = {}
    listed = []
    for probe in probes_for(rule, seed):
        name = f"{re.sub('[^A-Za-z0-9_-]', '_', probe.name)}.json"
        texts[name] = form.render(to_json(rule, probe, described, seed)) + "\n"
        listed.append({"name": probe.name, "file": name, "sha256": digest(texts[name]),
                       "reveals": probe.reveals, "misses": probe.misses})  # fmt: skip
    index: dict[str, Any] = {
        "schema": form.INDEX,
        "version": form.VERSION,
        "rule": described,
        "hyper": {k: form.number(getattr(rule, k)) for k in options.numbers(type(rule))},
        "varied": list(varied(rule)),
        "seed": seed,
        "vectors": listed,
    }
    texts[INDEX_FILE] = form.render(index) + "\n"  # last, so that it never lists what is not there yet
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise form.VectorError(f"cannot make the directory {directory}: {error.strerror or error}") from error
    for name, text in texts.items():
        form.write(directory / name, text)
    return [directory / name for name in texts]


def digest(text: str) -> str:
    """Return the SHA-256 of a file's text with the line ends of Unix, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
