"""Solving: `minimize` with SciPy's signature, the table of methods, and the bridge to and from SciPy."""

from arrayopt.core.method import Method, Status
from arrayopt.solve.batched import minimize_batch
from arrayopt.solve.bridge import for_scipy
from arrayopt.solve.entry import minimize
from arrayopt.solve.running import Record
from arrayopt.solve.table import METHODS

__all__ = ["METHODS", "Method", "Record", "Status", "for_scipy", "minimize", "minimize_batch"]
