import math

import numpy as np
import pytest

from arrayopt.core.method import Status, Stop
from arrayopt.core.objective import Objective
from arrayopt.secondorder.automatic import PATIENCE, Confined, LineSearches, steepest
from arrayopt.secondorder.line_search import Armijo, Line, MoreThuente, NoStep, WeakWolfe
from arrayopt.secondorder.line_search.search import NOT_FINITE


def played(rule, phi, first, slope0=-1.0):
    """Run a rule on phi, which returns value and slope; return what it accepts, and its trials."""
    trials, seen = rule.trials(Line(phi(0.0)[0], slope0, 1.0, 2.0**-52), first), []
    try:
        a = next(trials)
        while True:
            seen.append(a)
            a = trials.send(phi(a))
    except StopIteration as accepted:
        return accepted.value, seen


def test_a_rule_is_confined_to_the_longest_step():
    def falling(a):
        return -a, -1.0

    accepted, seen = played(Confined(rule=MoreThuente(), longest=3.0), falling, 1.0)
    assert accepted == 3.0
    assert seen == [1.0, 3.0]


def test_the_longest_step_is_not_accepted_if_it_rises():
    def cliff(a):  # it falls until 1.9, and is high beyond
        return (-a, -1.0) if a < 1.9 else (10.0, 1.0)

    rule = Confined(rule=WeakWolfe(c2=0.99), longest=2.0)
    with pytest.raises(NoStep):
        played(rule, cliff, 1.5)
    trials, seen = rule.trials(Line(0.0, -1.0, 1.0, 2.0**-52), 1.5), []
    a = next(trials)
    for _ in range(5):
        seen.append(a)
        a = trials.send(cliff(a))
    assert seen[:2] == [1.5, 2.0]
    assert all(1.5 < a < 2.0 for a in seen[2:])


def test_within_the_longest_step_a_rule_is_itself():
    def bowl(a):
        return (a - 0.3) ** 2, 2 * (a - 0.3)

    rule = MoreThuente(c2=0.1)
    assert played(Confined(rule=rule, longest=50.0), bowl, 1.0, -0.6) == played(rule, bowl, 1.0, -0.6)
    assert not Confined(rule=Armijo(), longest=1.0).slopes


def blurred(digits):
    """A parabola whose values are rounded up and down, as near a minimiser; the gradient is exact."""
    calls = []

    def f(x):
        calls.append(x)
        return round(1.0 + 0.5 * float(x @ x), digits) + (0.0 if len(calls) == 1 else 1e-11)

    return Objective(f, np.array([1e-6, 0.0]), jac=np.asarray)


def test_automatic_changes_the_rule_where_values_do_not_show_the_decrease():
    objective = blurred(10)
    point = objective.at(objective.x0)
    d, slope, _first = steepest(objective, point.g)
    with pytest.raises(Stop):
        LineSearches("more_thuente", objective)(point, d, slope, 1.5)
    search = LineSearches("auto", objective)
    assert np.abs(search(point, d, slope, 1.5).x).max() < 1e-6
    before = objective.nfev
    search(point, d, slope, 1.5)
    assert objective.nfev - before < 5  # the second time it does not try the first rule


def test_a_run_that_leads_nowhere_is_stopped():
    objective = blurred(10)
    point = objective.at(objective.x0)
    search = LineSearches("hager_zhang", objective, gap=lambda point: 1e-3)
    d, slope, _first = steepest(objective, point.g)
    for _ in range(PATIENCE + 1):
        search(point, d, slope, 1.5)
    with pytest.raises(Stop, match="new least") as stop:
        search(point, d, slope, 1.5)
    assert stop.value.status is Status.NO_PROGRESS


def test_a_gradient_whose_square_underflows_is_said():
    objective = Objective(lambda x: 1e-200 * float(x @ x), np.ones(2), jac=lambda x: 2e-200 * x)
    with pytest.raises(Stop, match="underflows"):
        steepest(objective, objective.at(objective.x0).g)
    assert math.isnan(NOT_FINITE[1])
