"""Hold the kernels to the pure rule on a device, and time them: `python -m validation.kernels.device [--json FILE]`.

Every rule is compared with NumPy in three dtypes, in float32 with every value of every dialect field. Then AdamW is
timed against a copy of 1 GiB and, where there is one with CUDA, torch's fused step. The exit status is 0 if all agrees,
1 if not, and 2 if there is no device; the timings do not decide it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from arrayopt.errors import BackendError
from arrayopt.firstorder import RULES
from arrayopt.readers.kernel.engine import Engine
from tests.common.rules import for_dtype
from validation.kernels.agreement import Agreement, agreement
from validation.kernels.cases import each_value
from validation.kernels.timing import SIZES, measure

DTYPES = ("float32", "float64", "float16")


def compare() -> list[Agreement]:
    import cupy

    engine, found = Engine(), []
    print(f"{'rule':12} {'dtype':8} {'ulps':>9} {'bounds':>9}")
    for cls in RULES:
        for dtype in DTYPES:
            rules = list(each_value(cls)) if dtype == "float32" else [for_dtype(cls, np.dtype(dtype))]
            rows = [agreement(rule, dtype, engine, cupy.asarray, cupy.asnumpy) for rule in rules]
            found += rows
            ulps, bounds = max(r.ulps for r in rows), max(r.bounds for r in rows)
            bad = "" if all(r.agrees for r in rows) else "DIFFERS"
            print(f"{cls.__name__:12} {dtype:8} {ulps:9.3g} {bounds:9.3g} {bad}", flush=True)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.kernels.device", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    try:
        Engine()
    except BackendError as reason:
        print(f"no device: nothing was compared or timed ({reason})")
        return 2
    import cupy

    device = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    print(f"{device}, cupy {cupy.__version__}")
    rows = compare()
    timings = []
    print(f"\n{'AdamW, float32':20} {'ms':>8} {'GB/s':>7} {'copy GB/s':>9} {'/ copy':>7} {'/ torch fused':>13}")
    for name in SIZES:
        timings.append(line := measure(name))
        ratio = f"{line['to_torch_fused']:13.3f}" if line["to_torch_fused"] else line["torch_missing"]
        print(f"{name:20} {line['ms']['arrayopt']:8.3f} {line['GB_per_s']:7.0f} {line['copy_GB_per_s']:9.0f} "
              f"{line['of_copy_bandwidth']:7.1%} {ratio}", flush=True)  # fmt: skip
        cupy.get_default_memory_pool().free_all_blocks()
    if given.json:
        result = {"device": device, "cupy": cupy.__version__, "agreement": [asdict(r) for r in rows],
                  "timings": timings}  # fmt: skip
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(r.agrees for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
