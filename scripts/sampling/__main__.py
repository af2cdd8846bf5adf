"""Draw optimisation as sampling: `python -m scripts.sampling [NAME ...] [-o DIR] [--seed N] [--quick]`.

Each NAME writes NAME.png and NAME.json; without one, all of them.
"""

import sys
from collections.abc import Sequence
from types import ModuleType

from scripts.experiment import arguments, save
from scripts.sampling import estimator_variance, gradient_cosine, metrics, sequence, temperature

PICTURES: dict[str, ModuleType] = {
    m.__name__.rpartition(".")[2]: m for m in (estimator_variance, gradient_cosine, metrics, sequence, temperature)
}


def main(argv: Sequence[str] | None = None) -> int:
    chosen = [x for x in (sys.argv[1:] if argv is None else argv) if x in PICTURES]
    rest = [x for x in (sys.argv[1:] if argv is None else argv) if x not in PICTURES]
    given = arguments("sampling", f"Draw {', '.join(PICTURES)}, or those that are named first.", rest)
    for name in chosen or PICTURES:
        made, data = PICTURES[name].draw(given.seed, given.quick)
        save(made, data, name, given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
