import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize

from arrayopt.errors import OptionError
from arrayopt.theory import (
    project_annulus,
    project_ball,
    project_box,
    project_half_space,
    project_simplex,
    projection_lemma,
)
from tests.theory.elsewhere import assert_same, on_other_libraries

INF, NAN = math.inf, math.nan
POINTS = hnp.arrays(np.float64, 4, elements=st.floats(-10, 10))
NORMAL = np.asarray([1.0, -2.0, 0.5, 0.0])
SETS = {
    "ball": lambda x: project_ball(x, 2.0, np.asarray([1.0, 0, 0, 0])),
    "box": lambda x: project_box(x, -1.0, np.asarray([1.0, 2.0, INF, -1.0])),
    "simplex": lambda x: project_simplex(x, 3.0),
    "half_space": lambda x: project_half_space(x, NORMAL, -0.5),
}
INSIDE = {
    "ball": lambda x: np.linalg.norm(x - np.asarray([1.0, 0, 0, 0])) <= 2 * (1 + 1e-15),
    "box": lambda x: np.all(x >= -1) and np.all(x <= [1, 2, INF, -1]),
    "simplex": lambda x: np.all(x >= 0) and abs(x.sum() - 3) <= 1e-14,
    "half_space": lambda x: NORMAL @ x <= -0.5 + 1e-14,
}


def array(*x, dtype=np.float64):
    return np.asarray(x, dtype)


@pytest.mark.parametrize("name", SETS)
@given(phi=POINTS, other=POINTS)
def test_the_nearest_point_of_the_set(name, phi, other):
    project = SETS[name]
    found, theta = project(phi), project(other)
    assert INSIDE[name](found)
    np.testing.assert_allclose(project(found), found, rtol=1e-14, atol=1e-14)
    # <found - theta, phi - found> >= 0 for all theta of the set is what characterises it
    product, excess = projection_lemma(phi, found, theta)
    assert product >= -1e-12
    assert excess >= -1e-13


def test_the_simplex_against_a_solver():
    rng = np.random.default_rng(0)
    for _ in range(5):
        phi = 2 * rng.standard_normal(6)
        best = minimize(
            lambda x, phi=phi: np.sum((x - phi) ** 2),
            np.full(6, 1 / 6),
            bounds=[(0, None)] * 6,
            constraints={"type": "eq", "fun": lambda x: x.sum() - 1},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(project_simplex(phi), best.x, atol=1e-6)


def test_a_set_that_is_not_convex_breaks_the_lemma():
    phi, theta = array(0.1, 0), array(-1.0, 0)
    product, excess = projection_lemma(phi, project_annulus(phi, 1.0, 1.0), theta)
    assert product == -1.8
    assert excess < 0


def test_annulus():
    np.testing.assert_allclose(
        project_annulus(array([3, 4], [0.3, 0.4], [1.2, 0], [0, 0]), 1.0, 2.0),
        [[1.2, 1.6], [0.6, 0.8], [1.2, 0], [1, 0]],
    )
    assert project_annulus(array(5.0, 5.0), 1.0, 1.0, array(5.0, 5.0)).tolist() == [6, 5]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_extremes(dtype):
    big, small = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal

    def point(*x):
        return array(*x, dtype=dtype)

    for project in (project_ball, project_simplex, lambda x: project_box(x, 0.0, 1.0)):
        for x in (point(big, -big), point(INF, -INF), point(big, 0)):
            found = project(x)
            assert found.dtype == dtype
            assert np.isfinite(found).all()
    assert project_simplex(point(big, -big)).tolist() == [1, 0] == project_simplex(point(INF, 3)).tolist()
    assert project_simplex(point(INF, INF, big)).tolist() == [0.5, 0.5, 0]
    assert project_simplex(point(-INF, -INF)).tolist() == [0.5, 0.5]
    assert project_simplex(point(-INF, 7)).tolist() == [0, 1]
    assert project_simplex(point(-5)).tolist() == [1]
    assert np.isnan(project_simplex(point(NAN, 1))).all()
    assert project_ball(point(INF, 7)).tolist() == [1, 0]
    assert project_ball(point(small, 0)).tolist() == [small, 0]
    assert project_ball(point(small, small), 0.0).tolist() == [0, 0]
    np.testing.assert_allclose(project_ball(point(big, big)), math.sqrt(0.5), rtol=np.finfo(dtype).eps)
    half = project_half_space(point(big, -big), point(1, 1), 0.0)
    assert half.tolist() == [big, -big]
    np.testing.assert_allclose(project_half_space(point(big, 0), point(big, 0), 2.0), [0, 0], atol=1)
    assert project_half_space(point(3, 4), point(small, 0), 1.0).tolist() == [3, 4]
    assert np.isnan(project_half_space(point(INF, 0), point(1, 0), 0.0)).all()
    assert project_box(point(INF, NAN), -1.0, 1.0)[0] == 1
    assert project_ball(np.zeros((2, 0), dtype)).shape == (2, 0)
    assert project_simplex(np.zeros((0, 2), dtype)).shape == (0, 2)


@on_other_libraries
def test_other_libraries(xp):
    x = 2 * np.random.default_rng(0).standard_normal((3, 4))
    for f in (
        project_ball,
        project_simplex,
        lambda x: project_box(x, -1.0, x * 0 + 0.5),
        lambda x: project_annulus(x, 1.0, 1.0),
        lambda x: project_half_space(x, x[0, :], 0.5),
        lambda x: projection_lemma(x, project_ball(x), x * 0),
    ):
        assert_same(xp, f, x)


def test_refusals():
    x = array(1, 2)
    with pytest.raises(OptionError, match="radius: expected 0 <= inner <= outer"):
        project_ball(x, -1.0)
    with pytest.raises(OptionError, match="lower, upper: expected lower <= upper"):
        project_box(x, 1.0, 0.0)
    with pytest.raises(OptionError, match="total: expected a finite number > 0"):
        project_simplex(x, 0.0)
    with pytest.raises(OptionError, match="x: expected vectors of at least one entry"):
        project_simplex(array())
    with pytest.raises(OptionError, match="normal: expected a finite vector other than 0"):
        project_half_space(x, 0 * x, 1.0)
    with pytest.raises(OptionError, match="offset: expected a finite number"):
        project_half_space(x, x, NAN)
