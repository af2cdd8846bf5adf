"""The experiments run, draw, and show what they are said to show."""

import importlib
import json

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def run(name, tmp_path):
    assert importlib.import_module(f"scripts.{name}").main(["--quick", "-o", str(tmp_path)]) == 0
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    return json.loads((tmp_path / f"{name}.json").read_text())


def test_paths(tmp_path):
    data = run("paths", tmp_path)
    bound = data["zigzag"]["bound"]
    assert data["zigzag"]["ratio"] == pytest.approx([bound] * 19, rel=1e-9)
    on_quadratic = {name: path["iterations"] for name, path in data["quadratic"].items()}
    assert on_quadratic["conjugate gradients"] < on_quadratic["momentum 0.8"]
    assert on_quadratic["Newton"] == 1
    for path in data["rosenbrock"].values():
        assert path["excess"][-1] < path["excess"][0]


def test_newton(tmp_path):
    data = run("newton", tmp_path)
    for e, after in zip(data["errors"], data["errors"][1:], strict=False):
        assert after < e * e
    assert sum(data["shares of the roots"]) + data["not converged"] == pytest.approx(1)
    assert data["shares of the roots"][1] == pytest.approx(data["shares of the roots"][2], abs=0.01)  # a mirror image


def test_basins(tmp_path):
    shares = run("basins", tmp_path)["shares"]
    plain = shares["gradient descent"]
    assert plain == sorted(plain)
    for other in ("SGD, noise 2", "momentum 0.9"):
        assert shares[other][-1] > plain[-1] + 0.05
        assert shares[other][0] < 1


def test_samples(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    data = run("samples", tmp_path)
    sgd, full = data["SGD, one sample"], data["full batch"]
    assert 0 < sgd["share of steps that raise the loss"] < 1
    assert full["share of steps that raise the loss"] == 0
    within = [f for n, f in zip(sgd["samples"], sgd["loss"], strict=True) if n < full["samples"][1]]
    assert min(within) < full["loss"][1]


def test_logistic(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    data = run("logistic", tmp_path)
    for runs in (data["breast_cancer"], data["digits"]):
        assert runs["Newton (IRLS)"]["evaluations to 1e-8"] < 20
        assert min(runs["gradient descent, 1/L"]["least gradient"]) > 1e-4
