"""The page of reports: it is whole, safe, the same every time, and says what the reports say."""

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from arrayopt import RULES, SGD, Adam, Clip, Lion, Momentum
from arrayopt.conformance import Candidate, Cause, Report, check
from arrayopt.conformance.compare import Divergence, compare, run
from arrayopt.conformance.probes import non_finite, probes_for
from arrayopt.conformance.report import Verdict
from arrayopt.conformance.reports.curves import Curve, curve, curves
from arrayopt.conformance.reports.html import page
from arrayopt.conformance.reports.html.markup import VOID
from arrayopt.conformance.reports.html.page import parted
from arrayopt.conformance.reports.html.plot import HEIGHT, MOST, WIDTH, panel
from arrayopt.conformance.reports.html.style import STYLE
from arrayopt.conformance.reports.html.verdicts import WORDS
from arrayopt.conformance.reports.illustrate import illustrated
from arrayopt.conformance.slips.catalogue import catalogue
from arrayopt.conformance.slips.slip import slipped
from arrayopt.conformance.targets import load

CANDIDATES = Path(__file__).resolve().parents[2] / "validation" / "candidates"


class Parsed(HTMLParser):
    """A page taken apart: every element must be closed where it may be."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attributes):
        names = [k for k, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        self.texts.append(("".join(self.stack[-1:]), data))

    def of(self, tag, class_=None):
        classes = ((t, a, (a.get("class") or "").split()) for t, a in self.elements)
        return [a for t, a, c in classes if t == tag and (class_ is None or class_ in c)]

    @property
    def text(self):
        return " ".join(x for tag, x in self.texts if tag not in ("style", "title"))


DIVERGENCE = Divergence("E", 2, "a", (1, 0), 0.25, 0.5, 0.5)
CURVES = (
    Curve("E", "reference", (1e-16, 0.3, 0.4), (2e-16, 2e-16, 3e-16)),
    Curve("E", "match", (0.0, 1e-17, 1e-16), (2e-16, 2e-16, 3e-16)),
)
EVERY = [
    Report("torch.optim.Adam", Adam(), "conforms", Adam(), (Adam(),), error=1e-16, probes={"E": "agrees"}),
    Report(
        "torch.optim.Adam(amsgrad=True)", Adam(), "dialect", Adam(amsgrad="max_raw"),
        tuple(Adam(eps_root=x) for x in np.linspace(0.1, 1.0, 9)), first_divergence=DIVERGENCE, error=0.0,
        probes={"E": "agrees", "R": "not run: it offers no set(lr=...)", "restore": "passes"}, margin=1e6,
        curves=CURVES, reproduction="import torch\nprint(1 < 2)\n", notes=("two elements were left out",),
    ),
    Report(
        "keras.optimizers.Nadam", Adam(), "differs", None, (),
        (Cause("nearest", "no dialect fits"),), (Cause("float32-scalars", "scalars in float32", wrong=False),),
        DIVERGENCE, 0.5, {"E": "departs"}, curves=CURVES[:1],
    ),
    Report("adam.py", Clip(rule=SGD()), "dialect", Clip(rule=SGD(), form="exact"), error=1e-12),
    Report("my.module:Port", None, "consistent"),
    Report("validation/candidates/x.py:Odd", None, "inconsistent", causes=(Cause("restore", "it forgets"),)),
    Report("mlx", None, "cannot-run", causes=(Cause("cannot-run", "ImportError: libGL"),)),
    Report("torch.optim.Adam", Lion(), "cannot-run", causes=(Cause("cannot-run", "making it raised ValueError: 3"),)),
]  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return Parsed(page(EVERY))


# A sound page ---------------------------------------------------------------------------------


def test_ids_are_there_once_and_every_link_leads_to_one(whole):
    ids = [a["id"] for _, a in whole.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = [a["href"] for a in whole.of("a")]
    assert {x.removeprefix("#") for x in links} <= set(ids)
    assert all(x.startswith("#r-") for x in links)


def test_nothing_outside_of_the_page_is_referred_to():
    text = page(EVERY)
    tags = {t for t, _ in Parsed(text).elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "audio", "video", "use"}
    assert not re.search(r"\b(src|srcset|action|data|poster|xlink:href)\s*=", re.sub(r"data-framework=", "", text))
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text


HOSTILE = "torch.optim.<script>alert('1')</script>\"&amp;x=<img src=x onerror=y>"


def test_what_comes_from_a_candidate_is_text(whole):
    wrong = Cause("<b>kind</b>", f"raised {HOSTILE}")
    d = dataclasses.replace(DIVERGENCE, path="</article><i>")
    report = Report(
        HOSTILE, Adam(), "differs", None, (), (wrong,), first_divergence=d, error=1.0,
        probes={"<u>": "not run: </li>"}, notes=("<em>note</em>",),
        curves=(Curve("<s>", "reference", (1.0,), (0.0,)),), reproduction=f"# {HOSTILE}\n</pre></code>",
    )  # fmt: skip
    text = page([report], title="</title><script>")
    parsed = Parsed(text)
    assert {t for t, _ in parsed.elements} <= {t for t, _ in whole.elements}
    for said in (HOSTILE, f"raised {HOSTILE}", "<b>kind</b>", "<em>note</em>", "</pre></code>", "</article><i>"):
        assert said in parsed.text, said
    assert not [a for _, a in parsed.elements if any(k.startswith("on") for k in a)]
    assert re.fullmatch(r"r-[a-z0-9-]+", parsed.of("article")[0]["id"])


def test_the_same_reports_give_the_same_page():
    assert page(EVERY) == page(list(EVERY))


def test_there_is_a_page_without_reports():
    assert "0 optimizers" in Parsed(page([])).text


def test_it_is_html5_for_phones_and_in_two_schemes(whole):
    text = page(EVERY)
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert {"charset": "utf-8"} in whole.of("meta")
    assert any(a.get("name") == "viewport" for a in whole.of("meta"))
    assert "prefers-color-scheme: dark" in text
    assert "max-width: 46rem" in text


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


PAIRS = (
    ("text", "back"), ("text", "raised"), ("soft", "back"), ("soft", "raised"), ("link", "back"),
    ("good-text", "good"), ("other-text", "other"), ("bad-text", "bad"), ("none-text", "none"), ("bad-text", "raised"),
)  # fmt: skip


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(scheme):
    root = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", root))
    for front, behind in PAIRS:
        high, low = sorted((luminance(colours[front]), luminance(colours[behind])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (front, behind)


# What it says ---------------------------------------------------------------------------------


def test_the_matrix_has_every_report_with_symbol_and_word():
    text = page(EVERY)
    whole = Parsed(text)
    chips = whole.of("a", "chip")
    assert [a["title"] for a in chips] == [
        "torch.optim.Adam: conforms", "torch.optim.Adam(amsgrad=True): dialect", "keras.optimizers.Nadam: differs",
        "adam.py: dialect", "torch.optim.Adam: cannot-run", "my.module:Port: consistent", "mlx: cannot-run",
        "validation/candidates/x.py:Odd: inconsistent",
    ]  # fmt: skip
    for report in EVERY:
        chip = re.search(rf'<a href="#[\w-]+" class="chip {report.verdict}".*?</a>', text)[0]
        assert WORDS[report.verdict][0] in chip
        assert f">{report.verdict}: <" in chip
    headers = [x for tag, x in whole.texts if tag == "th"]
    assert headers == ["rule", "torch", "keras", "my", "mlx", "files", "Adam", "Clip(SGD)", "Lion", "no rule"]
    rows = re.findall(r"<tr>.*?</tr>", text)
    assert all(row.count("<td") == 5 for row in rows[1:])


def test_every_verdict_can_be_shown():
    assert set(WORDS) == set(get_args(Verdict))
    assert len({symbol for symbol, _ in WORDS.values()}) == len(WORDS)


def test_chips_lead_to_their_own_sections(whole):
    chips = {a["href"]: a["title"].rpartition(":")[0] for a in whole.of("a", "chip")}
    text = page(EVERY)
    for href, candidate in chips.items():
        article = re.search(rf'<article id="{href[1:]}">.*?</article>', text, re.DOTALL)[0]
        assert Parsed(article).text.startswith(candidate)


@pytest.mark.parametrize(
    ("candidate", "framework", "name"),
    [
        ("torch.optim.Adam(amsgrad=True)", "torch", "Adam(amsgrad=True)"),
        ("optax.contrib.muon", "optax", "muon"),
        ("optax.adafactor(learning_rate=0.01)", "optax", "adafactor(learning_rate=0.01)"),
        ("mine.optim:Adam", "mine", "Adam"),
        ("adam.py", "files", "adam.py"),
        ("ports/adam.py:Adam", "files", "adam.py:Adam"),
        ("./my_adam --fast", "files", "my_adam --fast"),
        ("my_adam", "files", "my_adam"),
        ("", "files", ""),
    ],
)
def test_the_framework_is_the_first_part_of_a_dotted_name(candidate, framework, name):
    assert parted(Report(candidate, Adam(), "conforms")) == (framework, name)


def test_a_section_says_what_the_report_says():
    said = Parsed(page(EVERY[1:2])).text
    for fact in (
        "Adam(lr=0.001, amsgrad='max_raw')",
        "amsgrad='max_raw'",
        "vmax_t = maximum(vmax_{t-1}, v_t)",
        "9 dialects that the probes do not tell apart",
        "3 more",
        "1.0e+06 times as far",
        "not run: it offers no set(lr=...)",
        "two elements were left out",
        "print(1 < 2)",
        "0.25",
    ):
        assert fact in said, fact
    differing = Parsed(page(EVERY[2:3])).text
    assert "no dialect fits" in differing
    assert "also seen" in differing


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_every_rule_can_be_shown(cls):
    assert Parsed(page([Report("x", cls(), "conforms", cls())])).of("pre", "formula")


def test_rules_that_slip_are_shown_as_the_rule_and_the_slip():
    slips = list(catalogue(Adam(), ("lr", "beta1", "beta2", "eps")))
    assert len(slips) > 10
    for slip in slips:
        shown = Parsed(page([Report("x", Adam(), "differs", slipped(Adam(), slip))])).text
        assert f"but {slip.text}" in shown
        assert "p_t = p_{t-1} - lr u_t" in shown


# Plots ----------------------------------------------------------------------------------------


def test_a_mark_is_filled_where_the_error_is_beyond_its_tolerance():
    drawn = Parsed(panel(CURVES))
    assert [a["class"] for a in drawn.of("circle")] == ["within", "beyond", "beyond"]
    assert [a["class"] for a in drawn.of("rect")] == ["within"] * 3
    title = drawn.texts[0]
    assert title[0] == "title"
    assert "at most 4.0e-01, beyond rounding from step 2 on" in title[1]
    assert "at most 1.0e-16, within rounding" in title[1]


def test_probes_that_agree_are_folded_away():
    agreeing = dataclasses.replace(CURVES[1], probe="S")
    text = page([dataclasses.replace(EVERY[1], curves=(*CURVES, agreeing))])
    folded = re.search(r"<details><summary>1 probe that stays within rounding: S</summary>.*?</details>", text)[0]
    assert len(Parsed(folded).of("svg")) == 1
    assert len(Parsed(text).of("svg")) == 2


@pytest.mark.parametrize("steps", [1, 2, 59, 60, 61, 1000])
def test_all_is_drawn_inside_of_the_plot_with_at_most_so_many_marks(steps):
    errors = tuple(np.resize([0.0, 1e-300, 1e-16, 1.0, 1e300, np.inf, np.nan], steps).tolist())
    drawn = Parsed(panel([Curve("E", "reference", errors, (0.0,) * steps)]))
    marks = drawn.of("circle")
    assert len(marks) <= MOST
    assert all(0 <= float(a["cx"]) <= WIDTH for a in marks)
    assert all(0 <= float(a["cy"]) <= HEIGHT for a in marks)
    lines = [re.split("[ ,]", a["points"]) for a in (*drawn.of("polyline"), *drawn.of("polygon"))]
    assert all(np.isfinite([float(x) for x in line]).all() for line in lines)


def test_a_single_bad_step_of_a_long_run_is_drawn():
    errors = [1e-17] * 1000
    errors[777] = 1e-3
    drawn = Parsed(panel([Curve("E", "reference", tuple(errors), (1e-16,) * 1000)]))
    assert [a["class"] for a in drawn.of("circle")].count("beyond") == 1


# Curves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["adam_root.py", "momentum_torch.py", "lion_updated_first.py", "adam_float32.py"])
def test_a_curve_is_above_its_tolerance_from_where_the_candidate_departs(file):
    candidate, reference, _ = load(str(CANDIDATES / file))
    candidate = dataclasses.replace(candidate, tree="dict")
    for probe in probes_for(reference):
        ran = run(candidate, probe, reference)
        c = curve(ran, reference, candidate)
        divergence = compare(ran, reference, candidate).divergence
        assert c.departs == (None if divergence is None else divergence.step), probe.name
        assert len(c.errors) == len(c.tolerances) == len(probe.gradients)
        assert all(e >= 0 for e in c.errors)


def test_the_curve_against_the_match_is_within_rounding():
    candidate, reference, _ = load(str(CANDIDATES / "adam_root.py"))
    candidate = dataclasses.replace(candidate, tree="dict")
    runs = [run(candidate, p, reference) for p in probes_for(reference)]
    found = curves(runs, reference, Adam(eps_place="root_corrected"), candidate)
    assert [(c.probe, c.against) for c in found[:2]] == [("E", "reference"), ("E", "match")]
    assert [c.departs for c in found if c.against == "match"] == [None] * len(runs)


def test_numbers_that_are_not_finite_have_a_curve():
    candidate, reference, _ = load(str(CANDIDATES / "adam.py"))
    candidate = dataclasses.replace(candidate, tree="dict")
    c = curve(run(candidate, non_finite(reference), reference), reference, candidate)
    assert not np.isnan(c.errors).any()
    assert not np.isnan(c.tolerances).any()


def test_what_check_finds_is_illustrated():
    candidate, reference, _ = load(str(CANDIDATES / "momentum_ema.py"))
    report = check(candidate, reference, consistency=False)
    assert (report.curves, report.reproduction) == ((), "")
    shown = illustrated(report, candidate)
    assert {c.against for c in shown.curves} == {"reference", "match"}
    assert "momentum_ema.Momentum(" in shown.reproduction
    assert dataclasses.replace(shown, curves=(), reproduction="") == report
    assert shown.to_dict()["curves"][0]["probe"] == "E"


def test_reports_without_a_rule_are_left_as_they_are():
    report = Report("x", None, "consistent")
    assert illustrated(report, Candidate("x", None)) is report


def test_a_candidate_that_cannot_run_is_left_as_it_is():
    def broken(params, lr):
        raise RuntimeError("no")

    candidate = Candidate.from_step(broken)
    report = check(candidate, Momentum(), consistency=False)
    assert report.verdict == "cannot-run"
    assert illustrated(report, candidate) is report
