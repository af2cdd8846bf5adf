"""The attack: arrayopt's own optimizers minimise the margin of a claim over its domain, to break it.

Sizes and kinds are tried one after the other. For each: the corners and random instances, CMA-ES from the best of
them, and L-BFGS-B with differences where the margin is smooth; then all again from elsewhere, until the time is over,
the claim is broken, or a goal is reached.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np

from arrayopt.claims.claim import Claim
from arrayopt.claims.domain import length, structure_of
from arrayopt.claims.finding import NOTHING, Finding, silent
from arrayopt.core.population import Population
from arrayopt.core.random import generator
from arrayopt.sampling import CMAES, SepCMA
from arrayopt.solve import minimize

SECONDS = 10.0
STRUCTURES = 6
RANDOM = 40
GENERATIONS = 150
SIGMA = 0.25
DESCENT = 400
MOST_NUMBERS = 60
"""Numbers of an instance beyond which CMA-ES keeps no more than the diagonal of its covariance."""
BIG = 1e300
Margin = Callable[[np.ndarray], float]


class Done(Exception):
    """The goal is reached, or the time is over."""


class Attack:
    """An attack on a claim."""

    def __init__(self, claim: Claim, seconds: float, goal: float | None, seed: int) -> None:
        self.claim, self.goal = claim, goal
        self.found = Finding(claim, "attack")
        self.end = time.perf_counter() + seconds
        self.rng = generator(seed)
        self.seed = seed

    def margin(self, u: np.ndarray) -> float:
        """Measure numbers in [0, 1], those outside moved to the edge; end where there is nothing left to do."""
        m = self.found.look_at(np.clip(u, 0.0, 1.0))
        done = self.found.refuted if self.goal is None else self.found.margin < self.goal
        if done or time.perf_counter() > self.end:
            raise Done
        return min(max(m, -BIG), BIG)

    def run(self) -> None:
        """Attack until there is nothing left to do."""
        rounds = 0
        while True:
            heads = list(self.structures())
            for head in heads:
                self.one(head, rounds)
            rounds += 1
            if not any(length(self.claim.domain, structure_of(self.claim.domain, h)) > h.size for h in heads):
                return

    def structures(self) -> Iterator[np.ndarray]:
        """Yield the numbers of sizes and kinds: low, high, middle, then others."""
        count = sum(element.structural for element in self.claim.domain.values())
        if count == 0:
            yield np.zeros(0)
            return
        for edge in (0.0, 1.0, 0.5):
            yield np.full(count, edge)
        for _ in range(STRUCTURES - 3):
            yield self.rng.random(count)

    def one(self, head: np.ndarray, rounds: int) -> None:
        """Attack with one structure."""
        size = length(self.claim.domain, structure_of(self.claim.domain, head)) - head.size
        if size == 0:
            self.margin(head)
            return

        def margin(u: np.ndarray) -> float:
            return self.margin(np.concatenate([head, u]))

        starts = [np.full(size, edge) for edge in (0.5, 0.0, 1.0)] if rounds == 0 else []
        starts += [self.rng.random(size) for _ in range(RANDOM)]
        # Some coordinates at an edge, or the same as others: where equality tends to be.
        starts += [np.where(self.rng.random(size) < 0.5, self.rng.random(), u) for u in starts[-RANDOM // 2 :]]
        values = [margin(u) for u in starts]
        best = starts[int(np.argmin(values))]
        best = self.evolve(margin, best)
        if self.claim.smooth:
            self.descend(margin, best)

    def evolve(self, margin: Margin, start: np.ndarray) -> np.ndarray:
        """Minimise by CMA-ES."""
        method: Population = (CMAES if start.size <= MOST_NUMBERS else SepCMA)(sigma=SIGMA)
        state = method.init(start, seed=int(self.rng.integers(2**32)))
        for _ in range(GENERATIONS):
            x = method.ask(state)
            state = method.tell(state, x, np.asarray([margin(u) for u in np.asarray(x)]))
            if method.stopped(state) is not None:
                break
        return np.asarray(np.clip(state.best_x, 0.0, 1.0))

    def descend(self, margin: Margin, start: np.ndarray) -> None:
        """Minimise by L-BFGS-B with differences."""
        minimize(margin, start, method="lbfgsb", bounds=[(0.0, 1.0)] * start.size,
                 options={"maxfun": DESCENT + 20 * start.size, "gtol": 0.0})  # fmt: skip


def attacked(claim: Claim, seconds: float = SECONDS, goal: float | None = None, seed: int = 0) -> Finding:
    """Attack a claim.

    Parameters
    ----------
    claim : Claim
        Searchable.
    seconds : float
        The most it takes.
    goal : float, optional
        A margin to come below; by default the attack ends where the claim is refuted.
    seed : int

    Returns
    -------
    Finding
        The tightest instance.
    """
    attack, began = Attack(claim, seconds, goal, seed), time.perf_counter()
    try:
        with silent():  # a descent meets margins of 1e300
            attack.run()
    except Done:
        pass
    except Exception as error:  # a margin that raises is a finding
        attack.found.error = f"{type(error).__name__}: {error}"
    attack.found.seconds = time.perf_counter() - began
    attack.found.error = attack.found.error or ("" if attack.found.count else NOTHING)
    return attack.found
