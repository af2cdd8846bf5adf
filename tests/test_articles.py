"""The pictures of the articles are drawn, and show what they are said to show."""

import json

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from scripts.articles.__main__ import MODULES, main
from scripts.articles.network import gradient, initial, loss

TRAINED = ("batch_sizes", "flatness")


def drawn(name, tmp_path):
    assert main([name, "--quick", "-o", str(tmp_path)]) == 0
    assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    return json.loads((tmp_path / f"{name}.json").read_text())


@pytest.mark.parametrize("name", [m.__name__.rpartition(".")[2] for m in MODULES])
def test_every_picture_is_drawn(name, tmp_path):
    if name in TRAINED:
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    assert drawn(name, tmp_path)["quick"] is True


def test_regret_is_below_its_bound(tmp_path):
    data = drawn("regret", tmp_path)
    for name in ("constant, for this T", "1 / sqrt(t)"):
        assert all(r <= b for r, b in zip(data[name]["regret"], data[name]["bound"], strict=True))


def test_groups_rise_and_all_together_fall(tmp_path):
    data = drawn("simpson", tmp_path)
    assert min(data["groups"]) > 0.5
    assert data["pooled"] < -0.5


def test_the_integral_bound_never_loses_a_twentieth(tmp_path):
    data = drawn("integral_bound", tmp_path)
    assert all(data["limit"] - 1e-12 <= r <= 1 + 1e-12 for r in data["ratio"])


def test_the_exact_law_asks_for_fewer_dimensions_than_the_article(tmp_path):
    data = drawn("projection", tmp_path)["dimensions"]
    assert all(a > c for a, c in zip(data["article"], data["chi2"], strict=True))


def test_the_gradient_of_the_network_is_that_of_its_loss():
    import numpy as np

    rng = np.random.default_rng(0)
    x, y = rng.random((7, 64)), rng.integers(10, size=7)
    p = initial(0)
    g = gradient(p, x, y)
    for name, leaf in p.items():
        d = rng.standard_normal(leaf.shape)
        ends = [loss({**p, name: leaf + s * d}, x, y) for s in (1e-6, -1e-6)]
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(float((g[name] * d).sum()), rel=1e-5, abs=1e-8)
