"""Draw optimisation as sampling: `python -m scripts.sampling [NAME ...] [-o DIR] [--seed N] [--quick]`.

Each NAME writes NAME.png and NAME.json; without one, all of them.
"""

import sys
from collections.abc import Sequence

from scripts.experiment import draw
from scripts.sampling import estimator_variance, gradient_cosine, metrics, sequence, temperature

MODULES = (estimator_variance, gradient_cosine, metrics, sequence, temperature)


def main(argv: Sequence[str] | None = None) -> int:
    return draw("sampling", MODULES, argv)


if __name__ == "__main__":
    sys.exit(main())
