"""`verify`: hold the results of an implementation in any language against the vectors of a rule."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arrayopt.conformance.candidate import Arrays
from arrayopt.conformance.compare import Ran
from arrayopt.conformance.vectors import form
from arrayopt.conformance.vectors.described import rule_of
from arrayopt.conformance.vectors.diagnosis import Diagnosis, diagnose
from arrayopt.conformance.vectors.form import VectorError
from arrayopt.conformance.vectors.vector import Vector, arrays, from_json
from arrayopt.conformance.vectors.writing import INDEX_FILE, digest
from arrayopt.core.results import plain
from arrayopt.core.rule import Rule


@dataclass(frozen=True)
class Departure:
    """Where results first depart from a vector: the element that is off the most in the first such step and leaf."""

    vector: str
    step: int
    leaf: str
    index: tuple[int, ...]
    expected: float
    got: float
    tolerance: float

    def __str__(self) -> str:
        return (f"step {self.step}, leaf {self.leaf}[{', '.join(map(str, self.index))}]: expected {self.expected!r}, "
                f"got {self.got!r}, tolerance {self.tolerance:g}")  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one vector.

    Attributes
    ----------
    vector : str
        Its name.
    dtype : str
        The precision that the results are in; "" if it was skipped.
    compared, undecided : int
        Elements that were compared, and those that were left out because they hang on rounding.
    departure : Departure or None
        Where the results first depart.
    skipped : str
        Why there are no results, in the words of who wrote them.
    """

    vector: str
    dtype: str = ""
    compared: int = 0
    undecided: int = 0
    departure: Departure | None = None
    skipped: str = ""

    @property
    def agrees(self) -> bool:
        """Whether there are results and they agree."""
        return not self.skipped and self.departure is None

    def __str__(self) -> str:
        if self.skipped:
            return f"skipped: {self.skipped}"
        left = f" ({self.undecided} elements hang on rounding and were left out)" if self.undecided else ""
        if self.departure is None:
            return f"agrees in {self.compared} elements, {self.dtype}{left}"
        return f"departs at {self.departure}, {self.dtype}"


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    rule : Rule
        The rule whose vectors they are.
    outcomes : tuple of Outcome
        One for each vector, in the order of the index.
    diagnosis : Diagnosis or None
        Which dialect the results speak, if they depart.
    """

    rule: Rule
    outcomes: tuple[Outcome, ...]
    diagnosis: Diagnosis | None = None

    @property
    def passed(self) -> bool:
        """Whether every vector agrees that was not skipped, and at least one was not."""
        ran = [o for o in self.outcomes if not o.skipped]
        return bool(ran) and all(o.agrees for o in ran)

    def __str__(self) -> str:
        agree, skipped = sum(o.agrees for o in self.outcomes), sum(bool(o.skipped) for o in self.outcomes)
        more = f", {skipped} skipped" if skipped else ""
        lines = [f"{type(self.rule).__name__}: {agree} of {len(self.outcomes)} vectors agree{more}"]
        width = max(len(o.vector) for o in self.outcomes)
        lines += [f"  {o.vector:<{width}}  {o}" for o in self.outcomes]
        return "\n".join([*lines, str(self.diagnosis)] if self.diagnosis is not None else lines)

    def to_dict(self) -> dict[str, Any]:
        """Return what was found as plain data for JSON, with a schema version."""
        own = {"rule": self.rule, "passed": self.passed, "outcomes": self.outcomes, "diagnosis": self.diagnosis}
        data: dict[str, Any] = plain({"schema": "arrayopt.verification", "version": form.VERSION, **own})
        return data


def verify(directory: Path, results: Path) -> Verification:
    """Hold results against vectors, and name the dialect that they speak if they depart.

    Parameters
    ----------
    directory : Path
        Where `export` wrote the vectors.
    results : Path
        What an implementation made of them: for each vector its precision and the parameters after each step, in the
        form of docs/vectors.md.

    Returns
    -------
    Verification
        Which vectors agree and where the others first depart.

    Raises
    ------
    VectorError
        If a file is missing or not what its schema says, if a vector has no results or results no vector, or if
        shapes differ; the message names the place.
    """
    rule, varied, vectors = read_vectors(directory)
    data = form.parse(form.read(results), str(results), form.RESULTS)
    given = form.get(data, "vectors", dict, str(results))
    names = ", ".join(vectors)
    for name in given:
        if name not in vectors:
            raise VectorError(f"{results}: no vector {name!r}; {directory} has {names}")
    missing = [name for name in vectors if name not in given]
    if missing:
        raise VectorError(
            f"{results}: no results for {', '.join(missing)}; {directory} has {names}; "
            'one that cannot be run has to be said so, as in {"skipped": "the rate cannot be changed"}'
        )
    outcomes: list[Outcome] = []
    runs: dict[str, list[Ran]] = {}
    for name, vector in vectors.items():
        where = f"{results}: vector {name}"
        entry = form.get(given, name, dict, where)
        if "skipped" in entry:
            outcomes.append(Outcome(name, skipped=form.get(entry, "skipped", str, where) or "no reason given"))
            continue
        dtype = form.get(entry, "dtype", str, where)
        if dtype not in form.DTYPES:
            raise VectorError(f"{where}: 'dtype' must be one of {', '.join(form.DTYPES)}, got {dtype!r}")
        path = _path(form.get(entry, "params", list, where), vector, dtype, where)
        outcomes.append(_outcome(vector, dtype, path))
        runs.setdefault(dtype, []).append(Ran(vector.probe(varied), path))
    departed = next((o.dtype for o in outcomes if o.departure is not None), None)
    diagnosis = None if departed is None else diagnose(rule, varied, runs[departed], departed)
    return Verification(rule, tuple(outcomes), diagnosis)


def read_vectors(directory: Path) -> tuple[Rule, tuple[str, ...], dict[str, Vector]]:
    """Return the rule of a directory of vectors, the hyper-parameters that they vary, and the vectors by name."""
    if not directory.is_dir():
        raise VectorError(f"no directory {directory}; write one with arrayopt vectors export")
    where = str(directory / INDEX_FILE)
    if not (directory / INDEX_FILE).is_file():
        raise VectorError(f"no {INDEX_FILE} in {directory}; write vectors there with arrayopt vectors export")
    index = form.parse(form.read(directory / INDEX_FILE), where, form.INDEX)
    rule = rule_of(index, where)
    varied = tuple(k for k in form.get(index, "hyper", dict, where) if k in form.get(index, "varied", list, where))
    vectors: dict[str, Vector] = {}
    for i, entry in enumerate(form.get(index, "vectors", list, where)):
        at = f"{where}: vectors[{i}]"
        if not isinstance(entry, dict):
            raise VectorError(f"{at}: expected an object, got {form.kind_of(entry)}")
        file = form.get(entry, "file", str, at)
        if Path(file).name != file or "\\" in file:  # an index may come from anywhere, but reads only beside itself
            raise VectorError(f"{at}: 'file' must be the name of a file in {directory}, got {file!r}")
        text = form.read(directory / file)
        if digest(text) != form.get(entry, "sha256", str, at):
            raise VectorError(f"{directory / file} is not the file that {where} lists; export the vectors again")
        vector = from_json(form.parse(text, str(directory / file), form.VECTOR), str(directory / file))
        if not set(varied) <= vector.hyper.keys():
            raise VectorError(f"{directory / file}: 'hyper' lacks some of {', '.join(varied)}, which {where} varies")
        if vector.name != form.get(entry, "name", str, at) or vector.name in vectors:
            raise VectorError(f"{at}: {file} holds the vector {vector.name!r}, which is another or already there")
        vectors[vector.name] = vector
    if not vectors:
        raise VectorError(f"{where} lists no vectors")
    return rule, varied, vectors


def _path(params: list[Any], vector: Vector, dtype: str, where: str) -> list[Arrays]:
    """Read the parameters after each step; decimals of float32 numbers stand for these."""
    if len(params) != len(vector.expected):
        raise VectorError(f"{where}: 'params' must have {len(vector.expected)} steps, got {len(params)}")
    shapes = {k: p.shape for k, p in vector.params.items()}
    path = [arrays(x, shapes, f"{where}, step {t}") for t, x in enumerate(params, 1)]
    with np.errstate(over="ignore"):
        return [{k: x.astype(dtype).astype(np.float64) for k, x in step.items()} for step in path]


def _outcome(vector: Vector, dtype: str, path: Sequence[Arrays]) -> Outcome:
    compared = undecided = 0
    departure = None
    for t, (got, expected, tolerance) in enumerate(zip(path, vector.expected, vector.tolerance[dtype], strict=True), 1):
        for k, a in got.items():
            e, decided = expected[k], np.isfinite(tolerance[k])
            compared += int(decided.sum())
            undecided += int((~decided).sum())
            with np.errstate(invalid="ignore", over="ignore"):
                off = np.abs(a - e)
            same = (a == e) | (np.isnan(a) & np.isnan(e))
            wrong = decided & ~same & ~(off <= tolerance[k])
            if wrong.any() and departure is None:
                off = np.where(np.isnan(off), math.inf, off)
                index = tuple(int(i) for i in np.unravel_index(np.argmax(np.where(wrong, off, -1.0)), off.shape))
                departure = Departure(vector.name, t, k, index, float(e[index]), float(a[index]),
                                      float(tolerance[k][index]))  # fmt: skip
    return Outcome(vector.name, dtype, compared, undecided, departure)
