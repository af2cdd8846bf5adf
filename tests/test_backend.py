"""The switch for functions that create arrays, and the namespace of those that follow them."""

import subprocess
import sys

import numpy as np
import pytest

from arrayopt import BackendError, namespace, to_numpy, use
from arrayopt.backend import default


def test_numpy_is_the_default():
    assert default().__name__ == "array_api_compat.numpy"


def test_use_switches_inside_the_block_only():
    strict = pytest.importorskip("array_api_strict")
    with use("array_api_strict") as xp:
        assert xp is strict
        assert default() is strict
        with use("numpy"):
            assert default() is not strict
        assert default() is strict
    assert default() is not strict


def test_the_environment_sets_the_default(monkeypatch):
    monkeypatch.setenv("ARRAYOPT_BACKEND", "array_api_strict")
    assert default().__name__ == "array_api_strict"
    monkeypatch.setenv("ARRAYOPT_BACKEND", "fortran")
    with pytest.raises(BackendError, match="unknown backend 'fortran'; expected one of numpy, cupy, array_api_strict"):
        default()


def test_cupy_without_a_device_is_a_clear_error():
    try:
        import cupy

        if cupy.cuda.is_available():
            pytest.skip("cupy has a device here")
    except ImportError:
        pass
    with pytest.raises(BackendError, match="cupy"), use("cupy"):
        pass


def test_mixed_libraries_are_refused():
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(BackendError, match=r"expected arrays of one library, got array_api_strict.*, numpy.ndarray"):
        namespace(np.ones(1), strict.ones(1))
    with pytest.raises(BackendError, match="got none"):
        namespace()


def test_to_numpy_takes_every_library_on_every_device():
    strict = pytest.importorskip("array_api_strict")
    x = np.arange(3.0)
    assert to_numpy(x) is x
    np.testing.assert_array_equal(to_numpy(strict.asarray(x, device=strict.Device("device1"))), x)


def test_to_numpy_takes_torch_in_a_graph_and_in_bfloat16():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    np.testing.assert_array_equal(to_numpy(2 * x), [2.0, 4.0])
    assert to_numpy(x.to(torch.bfloat16)).dtype.name == "bfloat16"


def test_importing_arrayopt_loads_nothing_heavy():
    heavy = "scipy matplotlib typer rich numba cupy torch jax array_api_compat.numpy"
    code = f"import arrayopt, sys; print([m for m in {heavy.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_arrayopt_takes_less_than_twice_the_time_of_numpy_and_optree():
    """Processor time, the least of several runs each, so that a busy machine does not decide."""

    def seconds(modules):
        code = f"import time, {modules}; print(time.process_time())"
        command = [sys.executable, "-c", code]
        return min(float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(7))

    base = seconds("sys")
    assert seconds("arrayopt") - base < 2 * (seconds("numpy, optree") - base)
