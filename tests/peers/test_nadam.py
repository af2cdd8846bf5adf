"""NAdam's presets against the frameworks, at exaggerated settings and in float64; timm is only read."""

import pytest

from arrayopt.firstorder.nadam import NAdam
from tests.peers.common import (
    follow_rates,
    keras_path,
    optax_path,
    peer,
    torch_path,
    with_l2,
    worst,
)

# Exact in binary, as the rates are, and far from every default.
B1, B2, EPS, DECAY, PSI = 0.625, 0.8125, 0.0625, 0.25, 0.5
HYPER = dict(beta1=B1, beta2=B2, eps=EPS, weight_decay=DECAY)
TOLERANCE = 1e-14


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize(("decay", "decoupled"), [("l2", False), ("decoupled", True)])
def test_torch_but_for_its_float32_product(foreach, decay, decoupled):
    torch = peer("torch")
    options = dict(weight_decay=DECAY, momentum_decay=PSI, decoupled_weight_decay=decoupled, foreach=foreach)
    ours = NAdam.preset("torch", **HYPER, momentum_decay=PSI, decay=decay)
    theirs = torch_path(lambda p, lr: torch.optim.NAdam(p, lr, (B1, B2), EPS, **options))
    assert 1e-10 < worst(follow_rates(ours), theirs) < 1e-7


def test_torch_in_float64_with_a_float64_product():
    torch = peer("torch")

    def make(p, lr):
        optimizer = torch.optim.NAdam(p, lr, (B1, B2), EPS, DECAY, PSI)
        step = optimizer.step

        def with_exact_product():
            if not optimizer.state[p[0]]:  # its first step makes the state; this is what it would make
                optimizer.state[p[0]].update(
                    step=torch.tensor(0.0),
                    mu_product=torch.ones((), dtype=torch.float64),
                    exp_avg=torch.zeros_like(p[0]),
                    exp_avg_sq=torch.zeros_like(p[0]),
                )
            step()

        optimizer.step = with_exact_product
        return optimizer

    ours = NAdam.preset("torch", **HYPER, momentum_decay=PSI)
    assert worst(follow_rates(ours), torch_path(make)) < TOLERANCE


def test_optax():
    optax = peer("optax")
    ours = NAdam.preset("optax", **HYPER, eps_root=0.125)
    theirs = optax_path(with_l2(lambda lr: optax.nadam(lr, B1, B2, EPS, 0.125), DECAY))
    assert worst(follow_rates(ours), theirs) < TOLERANCE
    decoupled = optax_path(lambda lr: optax.nadamw(lr, B1, B2, EPS, 0.125, weight_decay=DECAY))
    assert worst(follow_rates(ours.replace(decay="decoupled")), decoupled) < TOLERANCE


def test_keras_has_the_schedule_250_times_as_fast():
    keras = peer("keras")
    theirs = keras_path(lambda lr: keras.optimizers.Nadam(lr, B1, B2, EPS, weight_decay=DECAY))
    ours = NAdam.preset("keras", **HYPER)
    assert ours.momentum_decay == 250 * NAdam.preset("torch").momentum_decay
    assert worst(follow_rates(ours), theirs) < TOLERANCE


def test_the_row_read_from_timm_is_the_formula_of_its_text():
    # timm is not installed here: AdamW's text in torch, with m replaced by b1 m + (1 - b1) g in the numerator
    torch = peer("torch")

    class NAdamW(torch.optim.Optimizer):
        def __init__(self, p, lr):
            super().__init__(p, dict(lr=lr))
            (self.p,) = p
            self.t, self.m, self.v = 0, torch.zeros_like(p[0]), torch.zeros_like(p[0])

        @torch.no_grad()
        def step(self):
            p, g, lr = self.p, self.p.grad, self.param_groups[0]["lr"]
            self.t += 1
            p.mul_(1 - lr * DECAY)
            self.m = B1 * self.m + (1 - B1) * g
            self.v = B2 * self.v + (1 - B2) * g * g
            u = (B1 * self.m + (1 - B1) * g) / (1 - B1**self.t)
            p.sub_(lr * u / ((self.v / (1 - B2**self.t)).sqrt() + EPS))

    assert worst(follow_rates(NAdam.preset("timm", **HYPER)), torch_path(NAdamW)) < TOLERANCE
