import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import OptionError
from arrayopt.secondorder.line_search import (
    SEARCHES,
    Armijo,
    Bisection,
    Exact,
    Falling,
    HagerZhang,
    Line,
    MoreThuente,
    NoStep,
    WeakWolfe,
    search_by,
)
from arrayopt.secondorder.line_search.search import NOT_FINITE
from tests.secondorder.lines import armijo, more_thuente, play, smooth

EPS = 2.0**-52

functions = st.one_of(st.integers(1, 6).map(more_thuente), st.integers(0, 10**6).map(smooth))
firsts = st.floats(-3.0, 3.0).map(lambda e: 10.0**e)
shares = st.tuples(st.floats(1e-4, 0.4), st.floats(0.01, 0.95)).map(lambda c: (min(c), max(c) + 1e-3))

# Trials and contracts ------------------------------------------------------------------------------------------------


@given(phi=functions, first=firsts, rule=st.sampled_from([WeakWolfe(), MoreThuente(), HagerZhang(), Bisection()]))
def test_no_trial_comes_twice_and_the_accepted_one_is_the_last_or_the_least(phi, first, rule):
    play(rule, phi, first)


@given(first=firsts, curvature=firsts, slope0=firsts)
def test_exact_takes_two_trials_at_most(first, curvature, slope0):
    _, seen = play(Exact(), lambda a: (a * a * curvature / 2 - a * slope0, a * curvature - slope0), first)
    assert len(seen) <= 2


@given(phi=functions, first=firsts, c1=st.floats(1e-4, 0.9), interpolation=st.sampled_from(["none", "quadratic"]))
def test_armijo_takes_the_first_trial_that_it_may(phi, first, c1, interpolation):
    a, seen = play(Armijo(c1=c1, interpolation=interpolation), phi, first)
    assert armijo(phi, a, c1)
    assert not any(armijo(phi, x, c1) for x in seen[:-1])


@given(phi=functions, first=firsts, c=shares)
def test_more_thuente_up_to_rounding(phi, first, c):
    c1, c2 = c
    rule = MoreThuente(c1=c1, c2=c2, most=100)
    a, _ = play(rule, phi, first)
    f0, slope0 = phi(0.0)
    assert abs(phi(a)[1]) <= c2 * abs(slope0)
    assert armijo(phi, a, c1) or abs(phi(a)[0] - f0) <= rule.rounding * EPS * abs(f0)


# Known trials ----------------------------------------------------------------------------------------------------

# More and Thuente 1994, tables I to VI: c1, c2; trials and accepted steps from a first one of 1e-3, 1e-1, 1e1, 1e3.
TABLES = {
    1: (1e-3, 0.1, ((6, "1.4"), (3, "1.4"), (1, "10"), (4, "37"))),
    2: (0.1, 0.1, ((12, "1.6"), (8, "1.6"), (8, "1.6"), (11, "1.6"))),
    3: (0.1, 0.1, ((12, "1.0"), (12, "1.0"), (10, "1.0"), (13, "1.0"))),
    4: (1e-3, 1e-3, ((4, "0.08"), (1, "0.10"), (3, "0.35"), (4, "0.83"))),
    5: (1e-3, 1e-3, ((6, "0.075"), (3, "0.078"), (7, "0.073"), (8, "0.076"))),
    6: (1e-3, 1e-3, ((13, "0.93"), (11, "0.93"), (8, "0.92"), (11, "0.92"))),
}


@pytest.mark.parametrize("rounding", [0.0, 100.0])
@pytest.mark.parametrize("number", TABLES)
def test_more_thuente_takes_the_published_trials(number, rounding):
    c1, c2, rows = TABLES[number]
    # some tables have c1 = c2, which is the limit of what is allowed
    rule = MoreThuente(c1=c1, c2=c2 * (1 + 1e-9), rounding=rounding)
    for first, (count, printed) in zip((1e-3, 1e-1, 1e1, 1e3), rows, strict=True):
        a, seen = play(rule, more_thuente(number), first)
        assert len(seen) == count
        unit = 10.0 ** -len(printed.partition(".")[2])
        assert abs(a - float(printed)) < unit


# What is not finite ----------------------------------------------------------------------------------------------


@given(phi=functions, exponent=st.floats(0.0, 6.0), end=firsts, name=st.sampled_from(sorted({*SEARCHES} - {"exact"})))
def test_a_trial_that_is_not_finite_was_too_long(phi, exponent, end, name):
    def domain(a):
        return phi(a) if a < end else NOT_FINITE

    trials, tried, ceiling = SEARCHES[name]().trials(Line(*phi(0.0), abs(phi(0.0)[0]), EPS), end * 10**exponent), [], []
    accepted = None
    try:
        a = next(trials)
        while True:
            assert a < min(ceiling, default=math.inf), "no later trial is as long"
            if ceiling and len(tried) == len(ceiling):
                assert a == pytest.approx(0.1 * ceiling[-1], rel=1e-12), "none was finite so far"
            tried.append(a)
            if a >= end:
                ceiling.append(a)
            a = trials.send(domain(a))
    except StopIteration as end_of_search:
        accepted = end_of_search.value
    except (NoStep, Falling):
        # Nothing has to be acceptable in [0, end); then it falls up to there.
        assert phi(max((x for x in tried if x < end), default=0.0))[1] < 0
    assert accepted is None or accepted < end


@pytest.mark.parametrize("name", ["weak_wolfe", "more_thuente", "hager_zhang", "bisection"])
def test_what_falls_without_bound_is_said_to_fall(name):
    with pytest.raises(Falling):
        play(SEARCHES[name](), lambda a: (-a, -1.0), 1.0)


def test_exact_is_for_quadratics_which_are_finite():
    for end in (0.5, 2.0):  # the minimiser is 3
        with pytest.raises(NoStep, match="finite everywhere"):
            play(Exact(), lambda a, end=end: ((a - 3.0) ** 2, 2 * (a - 3.0)) if a < end else NOT_FINITE, 1.0)


def test_exact_knows_a_concave_parabola():
    with pytest.raises(Falling, match="-2"):
        play(Exact(), lambda a: (-a - a * a, -1.0 - 2 * a), 1.0)


# The floor of precision ------------------------------------------------------------------------------------------


def floor(a):
    """A parabola on a hill: it falls by 5e-13, but the numbers near 1e6 are 1e-10 apart, and rounded up but at 0."""
    return 1e6 + (2.0**-33 if a else 0.0), (a - 1.0) * 1e-12


@given(first=firsts)
def test_slopes_lead_on_where_values_do_not(first):
    for rule in (HagerZhang(), MoreThuente(), MoreThuente(c2=0.1)):
        a, seen = play(rule, floor, first)
        assert abs(a - 1) <= 0.9
        assert len(seen) < 12


@given(first=firsts)
def test_values_alone_do_not_lead_on_at_the_floor(first):
    with pytest.raises(NoStep):
        play(MoreThuente(rounding=0.0), floor, first)


# Options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "options", "match"),
    [
        (Armijo, {"c1": 0.0}, r"c1 must be a number in \(0, 1\), got 0"),
        (Armijo, {"factor": 1.0}, "factor"),
        (Armijo, {"c1": lambda t: 0.1}, "c1 must be a number, got"),
        (Armijo, {"most": 0}, "most must be an integer >= 1"),
        (Armijo, {"most": 2.0}, "most must be an integer >= 1"),
        (WeakWolfe, {"c1": 0.9, "c2": 0.1}, "c1 < c2 must hold"),
        (MoreThuente, {"c1": 0.5, "c2": 0.5}, "c1 < c2 must hold"),
        (MoreThuente, {"rounding": -1.0}, "rounding"),
        (HagerZhang, {"delta": 0.6, "sigma": 0.7}, "delta < 1/2"),
        (HagerZhang, {"delta": 0.4, "sigma": 0.3}, "delta < sigma"),
        (HagerZhang, {"rho": 1.0}, "rho > 1"),
        (HagerZhang, {"rho": 0.0}, "rho must be a finite number > 0"),
    ],
)
def test_options_are_checked(make, options, match):
    with pytest.raises(OptionError, match=match):
        make(**options)


def test_rules_are_known_by_name():
    with pytest.raises(OptionError, match="there is no 'wolfe'; there are armijo"):
        search_by("wolfe", None)
    with pytest.raises(OptionError, match="expected a LineSearch or a name, got a float"):
        search_by(0.1, None)
