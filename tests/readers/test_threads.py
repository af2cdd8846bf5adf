"""The pool of threads, and the trial that finds how many pay."""

import threading
import warnings

import numpy as np
import pytest

from arrayopt.readers.blocks import threads
from arrayopt.readers.blocks.threads import TRIALS, Trial


def settle(most, seconds):
    """The count that a trial settles on when a step with k threads takes seconds(k)."""
    trial, tried = Trial(most), []
    while not trial.settled:
        tried.append(trial.count)
        trial.took(seconds(trial.count))
    return trial.count, tried


def test_the_count_that_was_fastest_stays():
    assert settle(1, lambda k: 1.0) == (1, [])
    assert settle(8, lambda k: 1 / k)[0] == 8
    assert settle(8, lambda k: abs(k - 2) + 1.0)[0] == 2
    assert settle(2, lambda k: 1.0) == (1, [1] * TRIALS + [2] * TRIALS)  # no gain
    assert settle(6, lambda k: 1 / k) == (6, [k for k in (1, 2, 4, 6) for _ in range(TRIALS)])


def test_one_slow_step_decides_nothing():
    times = iter([9.0, 1.0, 9.0, 9.0, 0.5, 0.5, 0.5, 0.5])
    assert settle(2, lambda k: next(times))[0] == 2


def test_lists_run_side_by_side_and_the_first_in_this_thread():
    both, where = threading.Barrier(2, timeout=10), {}

    def job(name):
        both.wait()
        where[name] = threading.current_thread()

    threads.run([[lambda: job("a")], [lambda: job("b")]])
    assert where["a"] is threading.current_thread()
    assert where["b"] is not where["a"]


def test_an_error_of_another_thread_is_raised_once_all_are_done():
    done = []

    def fail():
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        threads.run([[lambda: done.append(1)], [fail], [lambda: done.append(3)]])
    assert sorted(done) == [1, 3]


def test_threads_take_over_numpys_error_state():
    def divide():
        np.ones(3) / np.zeros(3)

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        threads.run([[], [divide]])
    with np.errstate(divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        threads.run([[], [divide]])
