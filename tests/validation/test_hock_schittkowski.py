"""The machinery that compares multipliers, on a problem solved by hand, and problems of S2MPJ where they are there."""

import json

import numpy as np
import pytest

from validation.problems import hock_schittkowski as hs
from validation.problems import s2mpj
from validation.problems.constrained import Constrained, load, names

needs_s2mpj = pytest.mark.skipif(s2mpj.folder() is None, reason=s2mpj.WANTED)


class Made:
    """As S2MPJ: (x - 3)^2 + y^2 + z^2 with -1 <= x + y <= 2 (a row of two sides), z = 1 and y >= 0."""

    x0 = np.asarray([[0.0], [1.0], [0.0]])
    xlower, xupper = np.asarray([[-1e20], [0.0], [-1e20]]), np.full((3, 1), 1e20)
    clower, cupper, m = np.asarray([[-1.0], [0.0]]), np.asarray([[2.0], [0.0]]), 2
    rows = np.asarray([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])

    def fgx(self, x):
        x = x.ravel()
        return (x[0] - 3) ** 2 + x[1] ** 2 + x[2] ** 2, np.asarray([[2 * (x[0] - 3)], [2 * x[1]], [2 * x[2]]])

    def cJx(self, x):
        return (self.rows @ x.ravel() - np.asarray([0.0, 1.0]))[:, None], self.rows

    def fgHx(self, x):
        return *self.fgx(x), 2 * np.eye(3)

    def cJHx(self, x):
        return *self.cJx(x), [np.zeros((3, 3))] * 2


SOURCE = "# LO SOLTN               2.0D+00\n# LO SOLTN(A) 3.5\n"
# z = 1; x + y <= 2 is active with y = 0: (-2, 0, 2) = a (0, 0, 1) + b (-1, -1, 0) + (0, nu, 0)
X, MULTIPLIERS, AT_BOUNDS = np.asarray([2.0, 0.0, 1.0]), [2.0, 0.0, 2.0], [0.0, 2.0, 0.0]


@pytest.fixture
def problem():
    return Constrained("MADE", Made(), SOURCE)


def test_rows_of_two_sides_become_two_constraints(problem):
    assert (problem.n, problem.k, problem.bounded) == (3, 3, True)
    assert problem.equal.tolist() == [True, False, False]
    assert problem.published == (2.0, 3.5)
    here = problem.at(np.asarray([0.0, 1.0, 0.0]))
    assert here.c.tolist() == [-1.0, 2.0, 1.0]  # z - 1, x + y + 1, 2 - x - y
    assert here.j.tolist() == [[0, 0, 1], [1, 1, 0], [-1, -1, 0]]
    assert [c["type"] for c in problem.constraints] == ["eq", "ineq"]
    assert problem.constraints[1]["fun"](problem.x0).tolist() == [2.0, 1.0]
    assert problem.bounds[1] == (0.0, np.inf)


def test_the_residual_is_zero_at_the_solution_only(problem):
    assert hs.residual(problem, X, np.asarray(MULTIPLIERS), np.asarray(AT_BOUNDS)) == 0.0
    assert hs.residual(problem, X + 1e-3, np.asarray(MULTIPLIERS), np.asarray(AT_BOUNDS)) > 1e-4
    assert hs.residual(problem, X, np.asarray([2.0, 0.0, 1.9]), np.asarray(AT_BOUNDS)) > 0.01
    assert hs.residual(problem, X, np.asarray([2.0, -0.5, 1.5]), np.asarray(AT_BOUNDS)) == 0.5  # a sign
    assert hs.residual(problem, X, np.asarray(MULTIPLIERS), np.asarray([0.5, 2.0, 0.0])) > 0.1  # at no bound


def test_the_reference_is_exact(problem):
    solution = hs.polished(problem, X + 1e-7)
    np.testing.assert_allclose(solution.x, X, atol=1e-14)
    np.testing.assert_allclose(solution.multipliers, MULTIPLIERS, atol=1e-14)
    np.testing.assert_allclose(solution.bound_multipliers, AT_BOUNDS, atol=1e-14)
    assert solution.unique
    assert hs.polished(problem, np.asarray([0.0, 1.0, 1.0])) is None  # another active set has no solution
    found, by = hs.reference(problem, X, 2.0)
    assert by == "SLSQP, x0"
    np.testing.assert_allclose(found.x, X, atol=1e-12)
    assert hs.reference(problem, X, -5.0)[1] == "another minimum"


def test_an_outcome(problem):
    outcome = hs.outcome(problem)
    assert (outcome.verdict, outcome.status, outcome.active) == ("solved", "CONVERGED", 3)
    assert max(outcome.f_error, outcome.multiplier_error, outcome.residual) <= 1e-6
    assert outcome.nfev > 0


def test_every_verdict():
    solution = hs.Solution(X, 2.0, np.zeros(1), np.zeros(0))
    twins = hs.Solution(X, 2.0, np.zeros(1), np.zeros(0), unique=False)
    assert hs.judged("CONVERGED", 1e-9, solution, "SLSQP, x0", 1e-9, 1e-9) == "solved"
    assert hs.judged("CONVERGED", 1e-9, solution, "SLSQP, x0", 1e-9, 2e-6) == "inexact"
    assert hs.judged("CONVERGED", 1e-9, solution, "SLSQP, x0", np.nan, 1e-9) == "inexact"
    assert hs.judged("CONVERGED", 1e-9, solution, "SLSQP, x0", 1e-9, np.nan) == "inexact"
    assert hs.judged("CONVERGED", 1e-9, twins, "SLSQP, x0", 1e-9, 1e-9) == "not unique"
    assert hs.judged("CONVERGED", 1e-9, solution, "another minimum", 1.0, 1.0) == "another minimum"
    assert hs.judged("CONVERGED", 1e-9, None, "none", np.nan, np.nan) == "no reference"
    assert hs.judged("CONVERGED", 1e-3, solution, "SLSQP, x0", 1e-9, 1e-9) == "FALSE SUCCESS"
    assert hs.judged("CONVERGED", np.nan, solution, "SLSQP, x0", 1e-9, 1e-9) == "FALSE SUCCESS"
    assert hs.judged("MAXFUN", 1e-9, solution, "SLSQP, x0", 1e-9, 1e-9) == "not converged"
    assert hs.judged("PRECISION_FLOOR", 1e-9, solution, "SLSQP, x0", 1e-9, 1e-9) == "exact, at the floor"
    assert hs.judged("PRECISION_FLOOR", 1e-3, solution, "SLSQP, x0", 1e-9, 1e-9) == "not converged"


def test_without_the_problems_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr("validation.problems.constrained.folder", lambda: None)
    assert hs.main([]) == 2
    assert s2mpj.WANTED in capsys.readouterr().err


@needs_s2mpj
def test_named_problems(tmp_path, capsys):
    file = tmp_path / "out.json"
    assert hs.main(["HS6", "HS71", "NOSUCH", "--json", str(file)]) == 1  # two of the three
    printed = capsys.readouterr().out
    assert "2 problems: 2 solved" in printed
    assert "left out, NOSUCH" in printed
    outcomes = json.loads(file.read_text(encoding="utf-8"))["outcomes"]
    assert [o["verdict"] for o in outcomes] == ["solved", "solved"]
    assert outcomes[1]["published"] == [17.0140173]


@needs_s2mpj
def test_hs71_as_published():
    problem = load("HS71")
    solution = hs.polished(problem, np.asarray([1.0, 4.7429996, 3.8211499, 1.3794083]))
    assert solution.f == pytest.approx(17.0140173, abs=1e-7)
    assert solution.unique


@needs_s2mpj
def test_names_are_in_the_order_of_their_numbers():
    found = names(lambda name: hs.ORIGINAL.fullmatch(name) is not None)
    assert found[:2] == ["HS1", "HS2"]
    assert found.index("HS9") < found.index("HS10") < found.index("HS100")
