"""The experiments on optimisation as sampling run, draw, and show what they are said to show."""

import json

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from arrayopt.sampling import Guided, hard_reward_gradient
from scripts.sampling import methods, metrics
from scripts.sampling.__main__ import MODULES, main
from scripts.sampling.gradient_cosine import smoothed_gradient


def drawn(name, tmp_path):
    assert main([name, "--quick", "-o", str(tmp_path)]) == 0
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    return json.loads((tmp_path / f"{name}.json").read_text())


def cosine(a, b):
    return float(a.ravel() @ b.ravel() / np.linalg.norm(a) / np.linalg.norm(b))


def test_errors_follow_the_laws(tmp_path):
    data = drawn("estimator_variance", tmp_path)
    for kind in ("gaussian", "rademacher", "sphere", "orthogonal"):
        found = data[kind]
        for error, spread, law in zip(found["error"], found["standard error"], found["law"], strict=True):
            assert abs(error - law) <= 4 * spread + 1e-12
    assert data["orthogonal"]["error"][0] < 1e-20


def test_two_classes_are_parallel_and_few_samples_are_noise(tmp_path):
    data = drawn("gradient_cosine", tmp_path)
    assert data["2 classes"]["exact, least"] == pytest.approx(1, abs=1e-12)
    ten = data["10 classes"]
    assert ten["exact, least"] < 0.95
    assert max(ten["exact, median"]) == ten["exact, median"][2]  # of 0.2, 0.6, 2, 6 and 20: Gumbel noise has 1.3
    few, many = ten["estimated, mean"]
    assert few < 0.5 < 0.7 < many


def test_the_smoothed_gradient_is_that_of_the_reward():
    z, rewards, c = np.array([0.3, -0.5, 1.0, 0.2]), np.array([0.0, 1.0, 0.2, -0.5]), 0.8
    u = np.random.default_rng(3).standard_normal((400_000, 4))
    estimate = (rewards[(z + c * u).argmax(axis=1)][:, None] * u).mean(axis=0)
    assert cosine(smoothed_gradient(z, rewards, c), estimate) > 0.999
    two, x = np.array([0.3, -0.5]), np.ones(1)
    exact = hard_reward_gradient(np.asarray(two[1] - two[0]), x, np.array([0.0, 1.0]), c)
    assert cosine(smoothed_gradient(two, np.array([0.0, 1.0]), c), exact) == pytest.approx(1, abs=1e-12)


def test_alpha_leads_from_normalised_steps_to_gradient_descent(tmp_path):
    data = drawn("temperature", tmp_path)
    two = data["n = 2"]
    assert 0.99 < two["step"][0] < 1
    assert two["step"][-1] == pytest.approx(1 / (data["alpha"][-1] * 4), rel=0.01)
    assert two["free energy"] == sorted(two["free energy"])
    assert -1 < two["free energy"][0] < -0.98
    assert -0.01 < two["free energy"][-1] < 0
    share = data["effective share"]
    assert share[0] == pytest.approx(1 / 200, rel=0.1)
    assert share[-1] == pytest.approx(data["law of the share"][-1], rel=1e-3)


@pytest.mark.parametrize("name", ["metrics", "sequence"])
def test_every_method_raises_the_score(name, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    data = drawn(name, tmp_path)
    for table in [data] if name == "sequence" else [data[title] for title in metrics.TASKS]:
        rows = table["from scratch"]
        (before,) = rows.pop("no further")["training"]
        assert set(rows) == set(methods.METHODS) - {"no further"}
        assert all(row["training"][0] > before for row in rows.values())


def test_f1_itself_beats_the_likelihood_where_classes_overlap():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    name, metric, features = metrics.TASKS["F1, three features"]
    task = metrics.Linear(name, metric, 5, features)
    likelihood = task.score(methods.surrogate(task, task.start, 1600, 5))
    for train in (methods.zeroth_order, methods.policy_gradient):
        assert task.score(train(task, task.start, 1600, 5)) > likelihood + 0.01
    assert task.score(metrics.thresholded(task, 1600, 5)) > likelihood + 0.01


@pytest.mark.parametrize(("density", "least", "most"), [("true", 0.9, 1.0), ("unit", 0.0, 0.8)])
def test_in_many_dimensions_the_true_densities_choose_and_not_the_scores(density, least, most):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    task = metrics.Linear("digits", metrics.accuracy, 5)
    x, method = methods.adam(task.start, task.likelihood, 10), Guided(alpha=0.005, sigma=0.03, density=density)
    chosen = [
        [
            int(np.argmax(method.gradient(fun, x, 0.5 * task.likelihood(x), rng=seed).weights.weights))
            for fun in (lambda points: np.asarray([-task.score(p) for p in points]), lambda points: np.zeros(4))
        ]
        for seed in range(60)
    ]
    assert least <= np.mean([a == b for a, b in chosen]) <= most


def test_every_picture_has_a_test():
    names = {m.__name__.rpartition(".")[2] for m in MODULES}
    assert names == {"estimator_variance", "gradient_cosine", "metrics", "sequence", "temperature"}
