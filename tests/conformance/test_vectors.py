"""Test vectors: what is written, that it reads back exactly, and what `verify` says of results."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from arrayopt import LAMB, RULES, SGD, Adafactor, Adam, AdaMax, AdamW, Momentum, Muon, OptionError, RMSProp
from arrayopt.conformance.compare import SLACK, bounds, trajectory
from arrayopt.conformance.diagnosis.dialects import space
from arrayopt.conformance.models import set_up
from arrayopt.conformance.probes import Probe, probes_for
from arrayopt.conformance.vectors import VectorError, export, verify, writing
from arrayopt.conformance.vectors.described import about, rule_of
from arrayopt.conformance.vectors.form import render
from arrayopt.conformance.vectors.vector import from_json, to_json, varied, vector_of
from arrayopt.conformance.vectors.verification import read_vectors
from arrayopt.core import options
from arrayopt.core.schedules import Constant
from tests.common.rules import same_bits

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "vectors.md").read_text(encoding="utf-8")
named = pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return where a rule is exported to, once a rule for the whole file; tests that change files take a copy."""
    places = {}

    def place(rule):
        if rule not in places:
            places[rule] = tmp_path_factory.mktemp(type(rule).__name__)
            export(rule, places[rule])
        return places[rule]

    return place


def probe_of(params, *gradients, **options):
    return Probe(name="X", reveals="an example", misses="all else", params=params, gradients=list(gradients), **options)


# Consumers ---------------------------------------------------------------------------------------
# They know the files alone, as one in another language would.


def floats(data):
    return [float(x) for x in data]


def consume(directory, make, dtype="float64"):
    """Run ``make(hyper, arrays by name)``, which returns ``step(lr, gradients by name)``, along every vector."""
    index = json.loads((directory / "index.json").read_text())
    vectors = {}
    for listed in index["vectors"]:
        vector = json.loads((directory / listed["file"]).read_text())
        shapes = {leaf["name"]: leaf["shape"] for leaf in vector["leaves"]}

        def tree(data, shapes=shapes):
            return {k: np.array(floats(x), dtype).reshape(n) for (k, n), x in zip(shapes.items(), data, strict=True)}

        step = make(vector["hyper"], tree([leaf["data"] for leaf in vector["leaves"]]))
        params = []
        for s in vector["steps"]:
            with np.errstate(all="ignore"):
                after = step(s["lr"], tree(s["gradients"]))
            assert all(after[k].dtype == dtype for k in shapes)
            params.append([[x if math.isfinite(x) else word(x) for x in after[k].ravel().tolist()] for k in shapes])
        vectors[listed["name"]] = {"dtype": dtype, "params": params}
    return {"schema": "arrayopt.results", "version": 1, "vectors": vectors}


def word(x):
    return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"


def adam(place="paper", scalars=float):
    """Adam as people write it; `scalars` rounds what it computes once a step."""

    def make(hyper, p):
        b1, b2, eps = (hyper[k] for k in ("beta1", "beta2", "eps"))
        m, v, t = {k: 0 * x for k, x in p.items()}, {k: 0 * x for k, x in p.items()}, 0

        def step(lr, gradients):
            nonlocal t
            t += 1
            c1, c2 = (float(scalars(1) - scalars(b) ** scalars(t)) for b in (b1, b2))
            for k, g in gradients.items():
                m[k] = m[k] + (1 - b1) * (g - m[k])
                v[k] = b2 * v[k] + (1 - b2) * g * g
                root = np.sqrt(v[k] / c2 + eps) if place == "inside" else np.sqrt(v[k] / c2) + eps
                p[k] = p[k] - lr / c1 * m[k] / root
            return p

        return step

    return make


def from_rule(rule):
    """A rule by the pure reader, with the numbers that the files say."""

    def make(hyper, params):
        placed, rates = rule.replace(**hyper), []
        state = placed.init(params)

        def step(lr, gradients):
            nonlocal params, state
            rates.append(lr)
            params, state = placed.replace(lr=lambda t: rates[t - 1]).update(gradients, state, params)
            return params

        return step

    return make


def written(tmp_path, results):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    return path


# What is written -----------------------------------------------------------------------------------


def same(a, b):
    """The same bits, but for those of a NaN."""
    there = ~np.isnan(a)
    return np.array_equal(a, b, equal_nan=True) and same_bits(a[there], b[there])


def contents(directory):
    return {p.name: p.read_bytes() for p in directory.iterdir()}


def test_the_same_rule_gives_the_same_bytes(exported, tmp_path):
    files = export(SGD(), tmp_path)
    assert contents(tmp_path) == contents(exported(SGD()))
    assert set(files) == set(tmp_path.iterdir())
    assert files[-1].name == "index.json"
    assert all(text.endswith(b"\n") and b"\r" not in text for text in contents(tmp_path).values())


def test_a_fresh_process_gives_the_same_bytes(exported, tmp_path):
    code = (
        "import sys, pathlib; from arrayopt import Muon; from arrayopt.conformance.vectors import export; "
        "export(Muon(), pathlib.Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", code, tmp_path], env=environment, cwd=ROOT, check=True, timeout=120)
    assert contents(tmp_path) == contents(exported(Muon()))


def test_another_seed_gives_other_numbers(exported, tmp_path):
    export(SGD(), tmp_path, seed=1)
    assert contents(tmp_path)["E.json"] != contents(exported(SGD()))["E.json"]
    assert json.loads((tmp_path / "index.json").read_text())["seed"] == 1


@pytest.mark.parametrize(
    ("rule", "letter"), [(Adam(), "R"), (AdaMax(), "Z"), (LAMB(), "S"), (Muon(), "M"), (SGD(), "P")]
)
def test_every_number_reads_back_to_the_same_bits(rule, letter, exported):
    """With a changing rate, NaN, null, matrices alone, and gradients that depend on the parameters."""
    vector = read_vectors(exported(rule))[2][letter]
    (probe,) = [p for p in probes_for(rule) if p.name == letter]
    whole = vector_of(rule, probe)
    assert (vector.hyper, vector.rates) == (whole.hyper, whole.rates)
    assert (vector.reveals, vector.misses) == (probe.reveals, probe.misses)
    for a, b in (
        (vector.params, whole.params),
        *zip(vector.gradients, whole.gradients, strict=True),
        *zip(vector.expected, whole.expected, strict=True),
        *zip(vector.tolerance["float64"], whole.tolerance["float64"], strict=True),
        *zip(vector.tolerance["float32"], whole.tolerance["float32"], strict=True),
    ):
        assert all(same(a[k], b[k]) for k in probe.params)


@named
def test_what_is_expected_is_the_pure_reader_s_run(cls, exported):
    """Bit for bit, from the numbers that the files say: hyper-parameters, rates, gradients."""
    directory = exported(cls())
    results = consume(directory, from_rule(cls()))
    for name, ran in results["vectors"].items():
        vector = json.loads((directory / f"{name}.json").read_text())
        expected = [[floats(x) for x in s["expected"]] for s in vector["steps"]]
        for t, (a, b) in enumerate(zip(ran["params"], expected, strict=True), 1):
            got = [floats(x) for x in a]
            assert all(np.array_equal(x, y, equal_nan=True) for x, y in zip(got, b, strict=True)), (name, t)


def test_tolerances_are_rounding_bounds_rounded_up(exported):
    vector = read_vectors(exported(Adam()))[2]["R"]
    probe = vector.probe(varied(Adam()))
    placed, _ = set_up(Adam(), probe, varied(Adam()))
    expected = trajectory(placed, probe)
    assert all(same(a[k], b[k]) for a, b in zip(vector.expected, expected, strict=True) for k in a)
    for dtype, path in vector.tolerance.items():
        for tolerance, bound in zip(path, bounds(placed, probe, dtype), strict=True):
            for k, x in tolerance.items():
                assert np.all(x >= SLACK * bound[k])
                assert np.all(x <= 1.01 * SLACK * bound[k])


def test_gradients_that_depend_on_the_parameters_are_those_on_the_way():
    probe = probe_of({"a": np.array([1.0, -2.0])}, *({"a": np.array([0.0, x])} for x in (0.0, 0.5, 0.0)), pull=0.5)
    vector = vector_of(SGD(lr=0.5), probe)
    assert [g["a"].tolist() for g in vector.gradients] == [[0.5, -1.0], [0.375, -0.25], [0.28125, -0.6875]]
    assert [p["a"].tolist() for p in vector.expected[:2]] == [[0.75, -1.5], [0.5625, -1.375]]


def test_what_hangs_on_rounding_has_no_tolerance():
    """Momentum that ends at nothing but rounding has no sign."""
    rule = RULES[[c.__name__ for c in RULES].index("Signum")](momentum=0.5)
    second = {"a": np.array([-0.5 - 2**-30, -9.0])}
    probe = probe_of({"a": np.zeros(2)}, {"a": np.array([1.0, 1.0])}, second)
    data = to_json(rule, probe, about(rule), 0)
    assert data["steps"][1]["tolerance"]["float32"][0][0] is None
    assert data["steps"][1]["tolerance"]["float32"][0][1] is not None
    assert from_json(data, "here").tolerance["float32"][1]["a"][0] == math.inf


def test_a_vector_says_what_it_is():
    theirs = AdamW(eps_place="hat")
    (probe,) = [p for p in probes_for(theirs) if p.name == "R"]
    vector = json.loads(render(to_json(theirs, probe, about(theirs), 0)))
    rule = vector["rule"]
    assert (rule["name"], rule["dialect"]["eps_place"], rule["dialect"]["decay"]) == ("AdamW", "hat", "decoupled")
    assert rule["summary"].startswith("AdamW: Adam with weight decay")
    assert "1711.05101" in rule["references"]
    assert any(line.startswith("p_t = p_{t-1} - lr weight_decay p_{t-1}") for line in rule["formula"])
    assert (vector["hyper"]["lr"], vector["hyper"]["eps"], vector["seed"]) == (0.1, 0.05, 0)
    assert [s["lr"] for s in vector["steps"]] == [0.1, 0.1, 0.1, 0.1 * 0.1, 0.1 * 0.1, 0.0, 0.1 * 0.3]


def test_numbers_that_the_formula_does_not_spell_out_are_given_for_each_leaf(exported):
    muon = json.loads((exported(Muon()) / "E.json").read_text())
    rows_by_columns = [leaf["shape"] for leaf in muon["leaves"]]
    assert muon["steps"][0]["numbers"] == {"gamma": [math.sqrt(max(1.0, n / m)) for n, m in rows_by_columns]}
    adam_vector = json.loads((exported(Adam()) / "E.json").read_text())
    assert adam_vector["steps"][0]["numbers"] == {}
    adafactor = json.loads((exported(Adafactor()) / "E.json").read_text())
    for step in adafactor["steps"]:
        assert step["numbers"]
        assert all(len(x) == len(adafactor["leaves"]) for x in step["numbers"].values())


def test_what_is_zero_is_off_in_every_vector(exported):
    for rule in (Adam(), RMSProp(), Momentum()):
        for vector in read_vectors(exported(rule))[2].values():
            off = {k for k, v in vector.hyper.items() if getattr(rule, k) == 0}
            assert off
            assert all(vector.hyper[k] == 0 for k in off)
    decaying = Adam(weight_decay=0.01)
    assert vector_of(decaying, probes_for(decaying)[0]).hyper["weight_decay"] == 0.2


@named
def test_a_sample_of_all_dialects_is_written_and_read(cls):
    every = list(space(cls(), ("weight_decay",)))
    for rule in every[:: max(1, len(every) // 6)]:
        hyper = {k: getattr(rule, k) for k in options.numbers(cls)}
        assert rule_of(json.loads(render({"rule": about(rule), "hyper": hyper})), "here") == rule
        assert vector_of(rule, probes_for(rule)[1]).expected


@named
def test_the_rule_and_the_probes_can_be_told_from_the_files(cls, exported):
    rule, declared, vectors = read_vectors(exported(cls()))
    assert (rule, declared) == (cls(), varied(cls()))
    assert list(vectors) == [p.name for p in probes_for(cls())]
    names = {name.lower() for name in contents(exported(cls()))}
    assert len(names) == len(vectors) + 1
    assert all(re.fullmatch("[a-z0-9_-]+[.]json", name) for name in names)


def test_leaves_without_axes_and_without_elements():
    start, gradient = ({"s": np.array(x), "none": np.zeros((2, 0))} for x in (1.0, 2.0))
    probe = probe_of(start, gradient)
    data = json.loads(render(to_json(SGD(lr=0.25), probe, about(SGD()), 0)))
    assert [(leaf["shape"], leaf["data"]) for leaf in data["leaves"]] == [([], [1.0]), ([2, 0], [])]
    vector = from_json(data, "here")
    assert vector.expected[0]["s"] == 0.5
    assert vector.expected[0]["none"].shape == (2, 0)


# What is verified ------------------------------------------------------------------------------------


@named
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_rule_itself_passes_in_both_precisions(cls, dtype, exported, tmp_path):
    directory = exported(cls())
    found = verify(directory, written(tmp_path, consume(directory, from_rule(cls()), dtype)))
    assert found.passed, found
    assert found.diagnosis is None
    assert {o.dtype for o in found.outcomes} == {dtype}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_port_in_another_order_of_operations_passes(dtype, exported, tmp_path):
    found = verify(exported(Adam()), written(tmp_path, consume(exported(Adam()), adam(), dtype)))
    assert found.passed, found
    assert all(o.compared and not o.undecided for o in found.outcomes)
    assert re.match(r"Adam: (\d+) of \1 vectors agree\n", str(found))


@pytest.mark.parametrize(("factor", "passes"), [(0.9, True), (1.5, False), (-1.5, False), (math.nan, False)])
def test_one_element_may_be_off_by_its_tolerance_and_no_more(factor, passes, exported, tmp_path):
    directory = exported(Adam())
    results = consume(directory, from_rule(Adam()))
    leaf, path = list(read_vectors(directory)[2]["E"].tolerance["float64"][2].items())[1]
    assert path.shape == (3, 5)
    tolerance, flat = path[1, 2], results["vectors"]["E"]["params"][2][1]
    true, flat[1 * 5 + 2] = flat[1 * 5 + 2], flat[1 * 5 + 2] + factor * tolerance
    found = verify(directory, written(tmp_path, results))
    assert found.passed == passes
    assert [o.vector for o in found.outcomes if not o.agrees] == ([] if passes else ["E"])
    if not passes:
        first = next(o.departure for o in found.outcomes if o.vector == "E")
        assert (first.vector, first.step, first.leaf, first.index) == ("E", 3, leaf, (1, 2))
        assert (first.expected, first.tolerance) == (true, tolerance)
        assert np.array_equal(first.got, flat[7], equal_nan=True)
        assert f"step 3, leaf {leaf}[1, 2]: expected" in str(found)
        # so little more than rounding might come of coarser scalars, a NaN of nothing
        assert found.diagnosis.match == (None if math.isnan(factor) else Adam())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_dialect_that_results_speak_is_named(dtype, exported, tmp_path):
    found = verify(exported(Adam()), written(tmp_path, consume(exported(Adam()), adam("inside"), dtype)))
    assert not found.passed
    assert found.diagnosis.match == Adam(eps_place="root_corrected")
    assert "the results are Adam with eps_place='root_corrected'" in str(found)
    assert "exported  u_t = m_t / (1 - beta1^t) / (sqrt(s_t) + eps)" in str(found)
    assert "results   u_t = m_t / (1 - beta1^t) / sqrt(s_t + eps)" in str(found)
    data = json.loads(json.dumps(found.to_dict()))
    assert (data["schema"], data["version"], data["passed"]) == ("arrayopt.verification", 1, False)
    assert data["diagnosis"]["match"]["eps_place"] == "root_corrected"


def test_a_dialect_is_named_where_decay_and_the_changing_rate_count(exported, tmp_path):
    theirs = AdamW(decay_scale="independent", amsgrad="max_raw")
    results = consume(exported(AdamW()), from_rule(theirs))
    found = verify(exported(AdamW()), written(tmp_path, results))
    assert found.diagnosis.match == theirs, found


def test_scalars_in_float32_are_told_from_a_wrong_rule(exported, tmp_path):
    results = consume(exported(Adam()), adam(scalars=np.float32), "float32")
    found = verify(exported(Adam()), written(tmp_path, results))
    assert not found.passed
    assert found.diagnosis.single
    assert found.diagnosis.match == Adam()
    assert "the results are Adam as exported, within the rounding of scalars (bias corrections, 1 - beta)" in str(found)


def test_what_is_no_dialect_is_told_how_far_off_it_is(exported, tmp_path):
    directory = exported(Momentum())
    results = consume(directory, lambda hyper, p: lambda lr, g: {k: p[k] + lr * g[k] for k in p})
    found = verify(directory, written(tmp_path, results))
    assert found.diagnosis.match is None
    assert "no dialect of Momentum fits; the nearest is" in str(found)


def test_a_vector_may_be_skipped_with_a_reason(exported, tmp_path):
    directory = exported(Adam())
    results = consume(directory, adam())
    results["vectors"]["R"] = {"skipped": "the rate is fixed"}
    found = verify(directory, written(tmp_path, results))
    assert found.passed
    assert f"{len(found.outcomes) - 1} of {len(found.outcomes)} vectors agree, 1 skipped" in str(found)
    assert "skipped: the rate is fixed" in str(found)
    results["vectors"] = {k: {"skipped": ""} for k in results["vectors"]}
    assert not verify(directory, written(tmp_path, results)).passed


def test_decimals_of_float32_stand_for_float32(exported, tmp_path):
    """What a float32 prints in C is not the decimal of the float64 that it is."""
    directory = exported(SGD())
    results = consume(directory, from_rule(SGD()), "float32")
    for ran in results["vectors"].values():
        ran["params"] = [[[float(str(np.float32(x))) for x in leaf] for leaf in step] for step in ran["params"]]
    assert verify(directory, written(tmp_path, results)).passed


def test_precisions_may_differ_from_vector_to_vector(exported, tmp_path):
    directory = exported(Adam())
    results = consume(directory, adam("inside"))
    results["vectors"]["E"] = consume(directory, adam("inside"), "float32")["vectors"]["E"]
    found = verify(directory, written(tmp_path, results))
    assert {o.dtype for o in found.outcomes} == {"float32", "float64"}
    assert Adam(eps_place="root_corrected") in found.diagnosis.equivalent


# NaN and infinities --------------------------------------------------------------------------------


def test_nan_is_valid_json_and_has_to_be_met(exported, tmp_path):
    directory = exported(Adam(eps=0.0))  # with gradients of zero 0/0
    text = (directory / "Z.json").read_text()

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    vector = json.loads(text, parse_constant=refuse)
    assert vector["steps"][0]["expected"][0] == ["NaN"] * 12
    assert vector["steps"][0]["tolerance"]["float64"][0] == [0.0] * 12
    results = consume(directory, adam())
    assert results["vectors"]["Z"]["params"][0][0] == ["NaN"] * 12
    assert verify(directory, written(tmp_path, results)).passed
    results["vectors"]["Z"]["params"][0][0] = [math.nan] * 12  # which Python writes as a bare word
    assert verify(directory, written(tmp_path, results)).passed
    results["vectors"]["Z"]["params"][0][0][3] = 0.5
    found = verify(directory, written(tmp_path, results))
    (departure,) = [o.departure for o in found.outcomes if not o.agrees]
    assert (departure.index, departure.got) == ((1, 0), 0.5)


def test_infinities_keep_their_sign(tmp_path):
    probe = probe_of({"a": np.zeros(3)}, {"a": np.array([np.inf, -np.inf, np.nan])})
    data = json.loads(render(to_json(SGD(), probe, about(SGD()), 0)))
    assert data["steps"][0]["gradients"] == [["Infinity", "-Infinity", "NaN"]]
    assert data["steps"][0]["expected"] == [["-Infinity", "Infinity", "NaN"]]
    assert np.array_equal(from_json(data, "here").expected[0]["a"], [-np.inf, np.inf, np.nan], equal_nan=True)


# What is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda d: export(Adam, d), r"rule must be a rule such as Adam\(\), got <class"),
        (lambda d: export(Adam(lr=Constant(0.1)), d), "Adam: lr must be a number in vectors, got a schedule"),
        (lambda d: export(Adam(), d, seed=-1), "export: seed must be an integer >= 0, got -1"),
    ],
)
def test_what_cannot_be_exported_writes_nothing(call, said, tmp_path):
    with pytest.raises(OptionError, match=said):
        call(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def change(path, *keys):
    """Return what sets an entry of a JSON file; given no value, it deletes the entry."""

    def set_to(directory, results, value=...):
        at = directory / path if path != "results.json" else results
        data = inner = json.loads(at.read_text())
        for key in keys[:-1]:
            inner = inner[key]
        if value is ...:
            del inner[keys[-1]]
        else:
            inner[keys[-1]] = value
        at.write_text(json.dumps(data))

    return set_to


R, I = "results.json", "index.json"
BAD = [
    # results
    ("no vector 'none'; .* has E, S, ", lambda d, r: change(R, "vectors", "none")(d, r, {})),
    (r"no results for S, Z; .*has to be said so, as in \{\"skipped\"",
     lambda d, r: [change(R, "vectors", k)(d, r) for k in "SZ"]),
    ('expected "schema": "arrayopt.results", got \'mine\'', lambda d, r: change(R, "schema")(d, r, "mine")),
    ('expected "version": 1, got 2', lambda d, r: change(R, "version")(d, r, 2)),
    ("no 'vectors'; it has schema, version", lambda d, r: change(R, "vectors")(d, r)),
    ("vector E: no 'params'; it has dtype", lambda d, r: change(R, "vectors", "E", "params")(d, r)),
    ("vector E: 'dtype' must be one of float64, float32, got 'bfloat16'",
     lambda d, r: change(R, "vectors", "E", "dtype")(d, r, "bfloat16")),
    ("'E' must be an object, got a list", lambda d, r: change(R, "vectors", "E")(d, r, [])),
    ("vector E: 'params' must have 8 steps, got 1", lambda d, r: change(R, "vectors", "E", "params")(d, r, [[]])),
    (r"vector E, step 1: expected a list of \d leaves \(a, b, .*\), got 1 of them",
     lambda d, r: change(R, "vectors", "E", "params", 0)(d, r, [[]])),
    ("vector E, step 2, leaf b: expected a flat list of 15 numbers, row by row (shape [3, 5]), got 2 of them",
     lambda d, r: change(R, "vectors", "E", "params", 1, 1)(d, r, [1, 2])),
    ("vector E, step 2, leaf a[0]: expected a number, got a list",
     lambda d, r: change(R, "vectors", "E", "params", 1, 0)(d, r, [[1.0] * 3] * 12)),
    ("vector E, step 2, leaf c[5]: expected a number, got 'one'",
     lambda d, r: change(R, "vectors", "E", "params", 1, 2, 5)(d, r, "one")),
    ("vector E, step 2, leaf c[5]: expected a number, got true",
     lambda d, r: change(R, "vectors", "E", "params", 1, 2, 5)(d, r, True)),
    ('leaf c[5]: expected a number, got null; NaN and infinities are written "NaN", "Infinity", "-Infinity"',
     lambda d, r: change(R, "vectors", "E", "params", 1, 2, 5)(d, r, None)),
    ("is no JSON: ", lambda d, r: r.write_text("{]")),
    ("expected a JSON object, got a list", lambda d, r: r.write_text("[]")),
    ("has 'vectors' twice in one object", lambda d, r: r.write_text('{"vectors": {}, "vectors": {}}')),
    ("is nested too deeply", lambda d, r: r.write_text("[" * 100_000)),
    ("is no UTF-8 text", lambda d, r: r.write_bytes(b"\xff\xff")),
    ("cannot read .*results.json: No such file", lambda d, r: r.unlink()),
    # vectors
    ("no directory ", lambda d, r: shutil.rmtree(d)),
    ("no index.json in ", lambda d, r: (d / I).unlink()),
    ("cannot read .*E.json: No such file", lambda d, r: (d / "E.json").unlink()),
    ("E.json is not the file that .*index.json lists; export the vectors again",
     lambda d, r: change("E.json", "leaves", 0, "data", 0)(d, r, 0.5)),
    ('index.json: expected "version": 1, got 0', lambda d, r: change(I, "version")(d, r, 0)),
    ('expected "schema": "arrayopt.vectors"', lambda d, r: change(I, "schema")(d, r, "arrayopt.vector")),
    ("no rule 'os.system'; the rules are SGD, ", lambda d, r: change(I, "rule", "name")(d, r, "os.system")),
    ("eps_place must be one of .*, got 'there'", lambda d, r: change(I, "rule", "dialect", "eps_place")(d, r, "there")),
    ("lr_peak must be float | None, got 'high'", lambda d, r: change(I, "rule", "structure", "lr_peak")(d, r, "high")),
    ("unknown option 'epss'", lambda d, r: change(I, "hyper", "epss")(d, r, 1.0)),
    (r"'file' must be the name of a file in .*, got '../x'",
     lambda d, r: change(I, "vectors", 0, "file")(d, r, "../x")),
    ("cannot read .*embedded null", lambda d, r: change(I, "vectors", 0, "file")(d, r, "\0")),
    ("index.json lists no vectors", lambda d, r: change(I, "vectors")(d, r, [])),
    ("holds the vector 'E', which is another or already there",
     lambda d, r: change(I, "vectors", 0, "name")(d, r, "F")),
]  # fmt: skip


@pytest.mark.parametrize(("said", "spoil"), BAD, ids=[said[:40] for said, _ in BAD])
def test_what_is_wrong_with_the_files_is_said_with_its_place(said, spoil, exported, tmp_path):
    directory = tmp_path / "vectors"
    shutil.copytree(exported(Adam()), directory)
    results = written(tmp_path, consume(directory, adam()))
    spoil(directory, results)
    # brackets are meant, but for those of patterns
    pattern = said if ".*" in said else re.escape(said)
    with pytest.raises(VectorError, match=pattern):
        verify(directory, results)


def test_huge_integers_are_numbers(exported, tmp_path):
    directory = exported(Adam())
    results = consume(directory, adam())
    results["vectors"]["E"]["params"][0][0][0] = 0.125
    text = json.dumps(results).replace("0.125", "9" * 5000, 1)
    (tmp_path / "results.json").write_text(text)
    found = verify(directory, tmp_path / "results.json")
    assert found.outcomes[0].departure.got == math.inf


def test_line_ends_of_windows_change_nothing(exported, tmp_path):
    directory = tmp_path / "vectors"
    shutil.copytree(exported(Adam()), directory)
    results = written(tmp_path, consume(directory, adam()))
    for path in directory.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert verify(directory, results).passed


# Writing whole -------------------------------------------------------------------------------------


def test_nothing_is_written_where_a_vector_cannot_be_made(monkeypatch, tmp_path):
    real = writing.to_json

    def fails(rule, probe, *rest):
        if probe.name == "T":
            raise ZeroDivisionError
        return real(rule, probe, *rest)

    monkeypatch.setattr(writing, "to_json", fails)
    with pytest.raises(ZeroDivisionError):
        export(Adam(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("method", ["replace", "write_text"])
def test_a_file_is_written_whole_or_not_at_all(method, monkeypatch, exported, tmp_path):
    """The disk is full at the third file, half written: earlier ones are whole, later ones as they were."""
    export(SGD(), tmp_path)
    before, whole, real = contents(tmp_path), contents(exported(Adam())), getattr(Path, method)
    calls = []

    def fails(self, text, *args, **kwargs):
        calls.append(self)
        if len(calls) == 3:
            if method == "write_text":
                real(self, text[:100], *args, **kwargs)
            raise OSError(28, "No space left on device")
        return real(self, text, *args, **kwargs)

    monkeypatch.setattr(Path, method, fails)
    with pytest.raises(VectorError, match=r"cannot write .*L\.json: No space left on device"):
        export(Adam(), tmp_path)
    after = contents(tmp_path)
    assert after == before | {k: whole[k] for k in ("E.json", "S.json")}
    monkeypatch.undo()
    with pytest.raises(VectorError, match=r"E\.json is not the file that .* lists"):
        read_vectors(tmp_path)


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VectorError, match="cannot make the directory"):
        export(SGD(), tmp_path / "file")


# The page ------------------------------------------------------------------------------------------


def block(language):
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return text


def test_the_consumer_of_the_page_runs_and_agrees(exported, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, so the consumer of docs/vectors.md is not run")
    assert len(block("js").splitlines()) <= 25
    program, results = tmp_path / "consumer.mjs", tmp_path / "results.json"
    program.write_text(block("js"))
    subprocess.run([node, program, exported(Adam()), results], check=True, timeout=60)
    found = verify(exported(Adam()), results)
    assert found.passed, found
    program.write_text(block("js").replace("Math.sqrt(vHat) + eps", "Math.sqrt(vHat + eps)"))
    subprocess.run([node, program, exported(Adam()), results], check=True, timeout=60)
    assert verify(exported(Adam()), results).diagnosis.match == Adam(eps_place="root_corrected")


def test_the_consumer_of_the_page_can_write_nan(exported, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, so the consumer of docs/vectors.md is not run")
    program, results = tmp_path / "consumer.mjs", tmp_path / "results.json"
    program.write_text(block("js"))
    subprocess.run([node, program, exported(Adam(eps=0.0)), results], check=True, timeout=60)
    assert verify(exported(Adam(eps=0.0)), results).passed


def test_the_example_of_the_page_is_what_is_written():
    gradients = {"w": np.array([0.5, -1.0])}, {"w": np.array([np.nan, 4.0])}
    probe = probe_of({"w": np.array([1.0, -2.0])}, *gradients, hyper={"lr": 0.1}, rates={2: 0.5})
    assert block("json") == render(to_json(SGD(), probe, about(SGD()), 0)) + "\n"


def test_the_page_names_every_field(exported):
    directory = exported(Muon())
    index, vector = (json.loads((directory / name).read_text()) for name in ("index.json", "E.json"))
    for data, section in ((index, "The index"), (vector, "A vector")):
        (rows,) = re.findall(rf"^## {section}\n(.*?)(?=^## )", PAGE, re.DOTALL | re.MULTILINE)
        fields = set(re.findall(r"`([a-z0-9_.\[\]]+)`", " ".join(re.findall(r"^\| (.*?) \|", rows, re.MULTILINE))))
        lists = {k: v[0] for k, v in data.items() if isinstance(v, list) and isinstance(v[0], dict)}
        assert set(data) | {f"{k}[].{name}" for k, first in lists.items() for name in first} <= fields | {"rule"}
    assert all(f"`rule.{name}`" in PAGE for name in vector["rule"])
