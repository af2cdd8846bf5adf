"""Draw what the articles are about: `python -m scripts.articles [NAME ...] [-o DIR] [--seed N] [--quick]`.

Each NAME writes NAME.png and NAME.json; without one, all of them.
"""

import sys
from collections.abc import Sequence

from scripts.articles import (
    amos,
    batch_sizes,
    flatness,
    integral_bound,
    logsumexp,
    muon,
    projection,
    regret,
    simpson,
    smoothing,
)
from scripts.experiment import draw

MODULES = (amos, batch_sizes, flatness, integral_bound, logsumexp, muon, projection, regret, simpson, smoothing)


def main(argv: Sequence[str] | None = None) -> int:
    return draw("articles", MODULES, argv)


if __name__ == "__main__":
    sys.exit(main())
