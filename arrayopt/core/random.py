"""Random numbers that are keyed by what they are for, so that any step replays alone.

A counter-based generator (Philox) needs no state: the numbers of step 700 of a run are a function of
(seed, step, stream). They are drawn by NumPy on the host and are the same for every array library that
receives them. NumPy's global generator is never touched.
"""

from __future__ import annotations  # naming numpy.random in a signature would import it

from typing import Any

import numpy as np

from arrayopt.errors import OptionError

_WORD = 1 << 64


def generator(rng: Any = None) -> np.random.Generator:
    """Return the generator that an ``rng=`` argument stands for (SPEC 7 of Scientific Python).

    Parameters
    ----------
    rng : None, int, sequence of int, SeedSequence, BitGenerator or Generator
        A Generator is returned as it is, and advances as it is drawn from. None takes fresh entropy from
        the operating system.

    Raises
    ------
    OptionError
        If `rng` is none of these; a RandomState is refused, for it may be NumPy's global one.

    Examples
    --------
    >>> generator(0).integers(10, size=3)
    array([8, 6, 5])
    """
    if isinstance(rng, (bool, np.random.RandomState)):
        raise _no_generator(rng)
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise _no_generator(rng) from error


def _no_generator(rng: object) -> OptionError:
    return OptionError(f"rng: expected None, a non-negative integer or a numpy.random.Generator, got {rng!r}")


def stream(name: str) -> int:
    """Return the number of the stream `name`, such as the path of a leaf: a hash, the same on every machine.

    It has 53 bits, so that a float64 holds it.
    """
    import hashlib

    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 11


def keyed(seed: int, step: int, stream: int) -> np.random.Generator:
    """Return the generator of one step of one stream of one seed.

    Parameters
    ----------
    seed, step, stream : int
        Each in [0, 2^64). Seed and stream are the key, step the highest word of the counter, below
        which there is room for 2^192 draws.
    """
    for name, value in {"seed": seed, "step": step, "stream": stream}.items():
        if not 0 <= value < _WORD:
            raise OptionError(f"{name}: expected an integer in [0, 2^64), got {value!r}")
    key = np.array([seed, stream], dtype=np.uint64)
    counter = np.array([0, 0, 0, step], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def normal(seed: int, step: int, stream: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal numbers, float64, of one step of one stream.

    Examples
    --------
    >>> bool((normal(0, 7, 1, (2,)) == normal(0, 7, 1, (3,))[:2]).all())
    True
    """
    return keyed(seed, step, stream).standard_normal(shape)


def uniform(seed: int, step: int, stream: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return uniform numbers in [0, 1), float64, of one step of one stream."""
    return keyed(seed, step, stream).random(shape)
