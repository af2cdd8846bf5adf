"""CUDA C++ for a run of elementwise operations, as the body of an ElementwiseKernel and as a multi-tensor kernel.

Arithmetic is NumPy's. float32 and float64: every operation is rounded to the dtype; the options forbid to contract
a * b + c, and division and square root are correctly rounded. float16: every operation in float, its result rounded
to float16. bfloat16: all in float, rounded once when stored. Numbers are rounded to the dtype before they are used.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from arrayopt.core.tape import BOOLEAN, ELEMENTWISE, Value
from arrayopt.readers.kernel.parts import Place, Run

OPTIONS = ("--fmad=false",)
CHUNK = 1 << 14
"""Elements that one block of threads works through."""
THREADS = 256
TOGETHER = 4
"""Elements that a thread loads before it stores the first, so that enough loads are under way."""

EXPRESSIONS = {
    **{"add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}"},
    **{"negative": "-{0}", "abs": "fabs({0})", "square": "{0} * {0}"},
    **{name: name + "({0})" for name in ("sqrt", "exp", "log", "log1p", "expm1", "tanh")},
    "sign": "({0} == {0} ? ({C})(({0} > 0) - ({0} < 0)) : {0})",
    "maximum": "({0} >= {1} || {0} != {0} ? {0} : {1})",
    "minimum": "({0} <= {1} || {0} != {0} ? {0} : {1})",
    "where": "({0} ? {1} : {2})",
    **{"less": "{0} < {1}", "less_equal": "{0} <= {1}", "greater": "{0} > {1}", "greater_equal": "{0} >= {1}"},
    **{"equal": "{0} == {1}", "not_equal": "{0} != {1}"},
    **{"isnan": "{0} != {0}", "isfinite": "{0} - {0} == 0", "isinf": "{0} == {0} && {0} - {0} != 0"},
    **{"logical_and": "{0} && {1}", "logical_or": "{0} || {1}", "logical_not": "!{0}"},
}
assert EXPRESSIONS.keys() == set(ELEMENTWISE)
_EXACT = {"negative", "abs", "sign", "maximum", "minimum", "where"}
"""Operations on float16 numbers that give float16 numbers without rounding."""


class Kind(NamedTuple):
    """How a dtype is computed with and stored."""

    compute: str
    """C type of registers and numbers."""
    store: str
    """C type of the leaf's arrays: bits, for types that need a header of the CUDA toolkit."""
    bits: str | None
    """dtype by whose name the library is to see the leaf's arrays, where that is not their own."""
    number: type[np.floating[Any]]
    """What numbers are rounded to."""
    preamble: str


_HALF = """
#ifdef __CUDACC__
__device__ inline float widen(unsigned short h) { float f; asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h)); return f; }
__device__ inline unsigned short narrow(float f) {
  unsigned short h; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f)); return h;
}
#endif
__device__ inline float rounded(float f) { return widen(narrow(f)); }
"""
_BRAIN = """
__device__ inline float widen(unsigned short h) { return __uint_as_float((unsigned int)h << 16); }
__device__ inline unsigned short narrow(float f) {
  const unsigned int u = __float_as_uint(f);
  return f != f ? (u >> 16) | 0x40 : (u + 0x7fff + ((u >> 16) & 1)) >> 16;
}
"""
KINDS = {
    "float64": Kind("double", "double", None, np.float64, ""),
    "float32": Kind("float", "float", None, np.float32, ""),
    "float16": Kind("float", "unsigned short", "uint16", np.float16, _HALF),
    "bfloat16": Kind("float", "unsigned short", "uint16", np.float32, _BRAIN),
}
MADE = {"float64": "float64", "float32": "float32", "float16": "float16", "bfloat16": "float32"}
"""dtype of the leaf -> dtype of an array made in between."""


@dataclass(frozen=True)
class Operand:
    """An array of a kernel: where it lies, its C type, and how it meets the run's shape."""

    place: Place
    store: str
    spread: Literal["full", "single", "broadcast"]
    written: bool


class Text(NamedTuple):
    """A kernel: its name, which is that of its text, and its parameters as C types and names."""

    name: str
    text: str
    parameters: tuple[tuple[str, str], ...]


class Elementwise(NamedTuple):
    """The arguments of a CuPy ElementwiseKernel: read arrays and numbers go in, written arrays come out."""

    inputs: str
    outputs: str
    operation: str
    name: str
    preamble: str


@dataclass(frozen=True)
class Source:
    """A run on leaves of a dtype, as text; equal for runs that do the same to leaves of different shapes."""

    dtype: str
    operands: tuple[Operand, ...]
    numbers: tuple[int, ...]
    """The values on the tape of the numbers n0, n1, ..."""
    loads: tuple[tuple[str, int], ...]
    lines: tuple[str, ...]
    stores: tuple[tuple[int, str], ...]

    @property
    def kind(self) -> Kind:
        """How the dtype is computed with."""
        return KINDS[self.dtype]

    @property
    def broadcasts(self) -> bool:
        """Whether an operand is neither of the run's shape nor a single number."""
        return any(x.spread == "broadcast" for x in self.operands)

    @property
    def signature(self) -> tuple[Any, ...]:
        """What the text depends on: sources with the same signature have the same text."""
        met = tuple((x.store, x.spread, x.written) for x in self.operands)
        return self.dtype, len(self.numbers), met, self.loads, self.lines, self.stores

    def number(self, x: float) -> np.floating[Any]:
        """Return a number as an argument of the kernel."""
        rounded = self.kind.number(x)
        return np.float32(rounded) if self.kind.compute == "float" else rounded

    def _compute(self, at: Callable[[int], str]) -> list[str]:
        """Return the statements that follow the loads, given how the element of an operand is written."""
        return [*self.lines, *(f"{at(j)} = {self._stored(j, v)};" for j, v in self.stores)]

    def _type(self, j: int) -> str:
        return "bool" if self.operands[j].store == "bool" else self.kind.compute

    def _loaded(self, j: int, element: str) -> str:
        return element if self.operands[j].store == self._type(j) else f"widen({element})"

    def _stored(self, j: int, v: str) -> str:
        return v if self.operands[j].store in ("bool", self.kind.compute) else f"narrow({v})"

    def many(self, varying: tuple[int, ...] = ()) -> Text:
        """Return the kernel for many leaves in one launch; the numbers at `varying` differ from leaf to leaf.

        Block b works on chunk ``b - row[1]`` of the leaf ``leaf_of[b]``, whose row of the table holds its size, the
        number of its first block, and the addresses of the operands.
        """
        c, operands = self.kind.compute, list(enumerate(self.operands))
        common = [i for i in range(len(self.numbers)) if i not in varying]
        parameters = [("const long long*", "table"), ("const int*", "leaf_of")]
        parameters += [(f"const {c}*", "varying")] * bool(varying) + [(f"const {c}", f"n{i}") for i in common]
        single = [(v, j) for v, j in self.loads if self.operands[j].spread == "single"]
        full = [(v, j) for v, j in self.loads if self.operands[j].spread == "full"]
        constant = {j: "" if x.written else "const " for j, x in operands}
        offset = {j: " + begin" if x.spread == "full" else "" for j, x in operands}
        lines = [
            self.kind.preamble,
            f'extern "C" __global__ void __launch_bounds__({THREADS}) NAME(',
            "    " + ", ".join(f"{kind} {name}" for kind, name in parameters) + ") {",
            "  const int leaf = leaf_of[blockIdx.x];",
            f"  const long long* row = table + (long long)leaf * {2 + len(operands)};",
            f"  const long long begin = ((long long)blockIdx.x - row[1]) * {CHUNK};",
            f"  const int count = row[0] - begin < {CHUNK} ? (int)(row[0] - begin) : {CHUNK};",
            *(f"  {constant[j]}{x.store}* __restrict__ x{j} = ({constant[j]}{x.store}*)row[{2 + j}]{offset[j]};"
              for j, x in operands),
            *(f"  const {c} n{i} = varying[(long long)leaf * {len(varying)} + {k}];" for k, i in enumerate(varying)),
            *(f"  const {self._type(j)} {v} = {self._loaded(j, f'x{j}[0]')};" for v, j in single),
            f"  for (int first = threadIdx.x; first < count; first += {TOGETHER * THREADS}) {{",
            *(f"    {self._type(j)} {v}s[{TOGETHER}];" for v, j in full),
            "#pragma unroll",
            f"    for (int k = 0, i = first; k < {TOGETHER}; ++k, i += {THREADS}) if (i < count) {{",
            *(f"      {v}s[k] = {self._loaded(j, f'x{j}[i]')};" for v, j in full),
            "    }",
            "#pragma unroll",
            f"    for (int k = 0, i = first; k < {TOGETHER}; ++k, i += {THREADS}) if (i < count) {{",
            *(f"      const {self._type(j)} {v} = {v}s[k];" for v, j in full),
            *(f"      {line}" for line in self._compute(lambda j: f"x{j}[i]")),
            "    }",
            "  }",
            "}",
        ]  # fmt: skip
        text = "\n".join(lines).lstrip() + "\n"
        name = _name(text)
        return Text(name, text.replace("NAME", name), tuple(parameters))

    @cached_property
    def one(self) -> Elementwise:
        """Return the kernel for one leaf, whose arrays may be broadcast and lie in memory in any way."""
        kinds = {"unsigned short": "uint16", "float": "float32", "double": "float64", "bool": "bool"}
        inputs = [f"{kinds[x.store]} x{j}" for j, x in enumerate(self.operands) if not x.written]
        inputs += [f"{kinds[self.kind.compute]} n{i}" for i in range(len(self.numbers))]
        outputs = [f"{kinds[x.store]} x{j}" for j, x in enumerate(self.operands) if x.written]
        loads = (f"const {self._type(j)} {v} = {self._loaded(j, f'x{j}')};" for v, j in self.loads)
        operation = "\n".join([*loads, *self._compute("x{}".format)])
        head = ", ".join(inputs), ", ".join(outputs)
        return Elementwise(*head, operation, _name("\n".join((*head, operation))), self.kind.preamble)


def _name(text: str) -> str:
    return f"run_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def source(run: Run, dtype: str) -> Source:
    """Write a run as text."""
    kind = KINDS[dtype]
    written = {place for _, place in run.writes}
    values: dict[int, str] = {}
    numbers: dict[int, str] = {}
    operands: dict[Place, Operand] = {}

    def operand(v: Value, place: Place) -> int:
        made = KINDS[MADE[dtype]].store
        store = "bool" if v.boolean else kind.store if place.kind == "leaf" else made
        spread: Literal["full", "single", "broadcast"] = (
            "full" if v.shape == run.shape else "single" if math.prod(v.shape or ()) == 1 else "broadcast"
        )
        operands.setdefault(place, Operand(place, store, spread, place in written))
        return list(operands).index(place)

    def read(x: Any, logical: bool) -> str:
        if not isinstance(x, Value):
            return _literal(x, kind)
        if x.shape is None:
            return numbers.setdefault(x.index, f"n{len(numbers)}")
        # a boolean among numbers counts as 0 or 1
        return values[x.index] if logical or not x.boolean else f"({kind.compute}){values[x.index]}"

    loads = []
    for v, place in run.reads:
        values[v.index] = f"v{len(values)}"
        loads.append((values[v.index], operand(v, place)))
    lines = []
    for op in run.ops:
        logical = op.name.startswith("logical_")
        args = [read(a, logical or (op.name == "where" and n == 0)) for n, a in enumerate(op.args)]
        text = EXPRESSIONS[op.name].format(*args, C=kind.compute)
        if dtype == "float16" and op.name not in BOOLEAN and op.name not in _EXACT:
            text = f"rounded({text})"
        values[op.out.index] = f"v{len(values)}"
        lines.append(f"const {'bool' if op.out.boolean else kind.compute} {values[op.out.index]} = {text};")
    stores = [(operand(v, place), values[v.index]) for v, place in run.writes]
    return Source(dtype, tuple(operands.values()), tuple(numbers), tuple(loads), tuple(lines), tuple(stores))


def _literal(x: float, kind: Kind) -> str:
    rounded = float(kind.number(x))
    if math.isfinite(rounded):
        return f"({kind.compute}){rounded!r}"
    return f"({kind.compute})({'0.0' if math.isnan(rounded) else '1.0' if rounded > 0 else '-1.0'} / 0.0)"
