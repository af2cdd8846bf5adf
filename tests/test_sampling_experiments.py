"""The experiments on optimisation as sampling run, draw, and show what they are said to show."""

import json

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from scripts.sampling.__main__ import PICTURES, main


def drawn(name, tmp_path):
    assert main([name, "--quick", "-o", str(tmp_path)]) == 0
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    return json.loads((tmp_path / f"{name}.json").read_text())


def test_errors_follow_the_laws(tmp_path):
    data = drawn("estimator_variance", tmp_path)
    for kind in ("gaussian", "rademacher", "sphere", "orthogonal"):
        assert data[kind]["error"] == pytest.approx(data[kind]["law"], rel=0.2, abs=1e-9)


def test_two_classes_are_parallel_and_few_samples_are_noise(tmp_path):
    data = drawn("gradient_cosine", tmp_path)
    assert data["2 classes"]["by sigma"][-1] > 0.99
    few, many = data["10 classes"]["by samples"][0], data["10 classes"]["by samples"][-1]
    assert few < 0.7 < many


def test_alpha_leads_from_normalised_steps_to_gradient_descent(tmp_path):
    data = drawn("temperature", tmp_path)
    step = data["step on the ball, n = 2"]
    assert 0.9 < step[0] < 1
    assert step[-1] == pytest.approx(1 / (data["alpha"][-1] * 4), rel=0.01)
    assert data["free energy"] == sorted(data["free energy"])


@pytest.mark.parametrize("name", ["metrics", "sequence"])
def test_every_method_raises_the_score(name, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    data = drawn(name, tmp_path)
    tables = [data] if name == "sequence" else [data["f1 on breast_cancer"], data["accuracy on digits"]]
    for table in tables:
        scratch = [ends for method, ends in table.items() if method.endswith("from scratch")]
        assert len(scratch) == 4
        assert all(after > before for ends in scratch for before, after, _ in ends)


def test_every_picture_has_a_test():
    assert set(PICTURES) == {"estimator_variance", "gradient_cosine", "metrics", "sequence", "temperature"}
