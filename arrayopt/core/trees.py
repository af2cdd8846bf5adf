"""Trees of arrays: one array, or any nesting of dicts, lists, tuples and registered classes (optree).

A leaf is named by its path, keys joined by "/": ``{"layer1": {"w": x}}`` has the leaf ``layer1/w``.
A single array is a tree whose only leaf has the empty path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optree

from arrayopt.backend import Array, Namespace, is_array, namespace
from arrayopt.errors import BackendError, LeafError

Tree = Any


@dataclass(frozen=True)
class Leaf:
    """What a rule may know of a leaf before it sees numbers: path, shape and dtype name."""

    path: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        n = 1
        for s in self.shape:
            n *= s
        return n

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rsplit("/", 1)[-1]


def label(path: str) -> str:
    """Name a leaf in a message; a single array has no path."""
    return f"leaf {path!r}" if path else "the array"


def dtype_name(x: Array) -> str:
    """Return "float32" for every library's float32, and so on."""
    return str(x.dtype).rsplit(".", 1)[-1]


def describe(path: str, x: Array) -> Leaf:
    """Make the `Leaf` of an array."""
    return Leaf(path, tuple(int(s) for s in x.shape), dtype_name(x))


def flatten(tree: Tree, what: str) -> tuple[dict[str, Array], Any]:
    """Return the leaves of `tree` by path, and its structure for `unflatten`."""
    paths, leaves, spec = optree.tree_flatten_with_path(tree)
    if not leaves:
        raise LeafError(f"{what}: the tree has no leaves; expected at least one array")
    named = dict(zip(("/".join(map(str, p)) for p in paths), leaves, strict=True))
    if len(named) != len(leaves):
        raise LeafError(f"{what}: two leaves have the same path; a key that contains '/' clashes with a nested one")
    for path, x in named.items():
        if not is_array(x):
            raise LeafError(
                f"{what}: {label(path)} is a {type(x).__name__}, expected an array; wrap it with numpy.asarray"
            )
    return named, spec


def unflatten(spec: Any, leaves: Mapping[str, Array]) -> Tree:
    """Put leaves, in the order of `flatten`, back into a tree."""
    return optree.tree_unflatten(spec, list(leaves.values()))


def match(tree: Tree, what: str, like: Mapping[str, Array], spec: Any) -> dict[str, Array]:
    """Flatten `tree`, which must have the structure, shapes and dtypes of the parameters `like`."""
    leaves, own = flatten(tree, what)
    if leaves.keys() != like.keys():
        missing = sorted(map(label, like.keys() - leaves.keys()))
        extra = sorted(map(label, leaves.keys() - like.keys()))
        parts = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(extra)} in excess"] * bool(extra)
        raise LeafError(f"{what}: the tree does not match params: it {' and '.join(parts)}")
    if own != spec:
        raise LeafError(f"{what}: the tree does not match params: expected {spec}, got {own}")
    for path, x in leaves.items():
        check_like(what, path, x, like[path])
    return leaves


def check_like(what: str, path: str, x: Array, p: Array) -> None:
    """Raise unless `x` has the shape and dtype of the parameter `p`."""
    if tuple(x.shape) != tuple(p.shape):
        raise LeafError(f"{what}: {label(path)} has shape {tuple(x.shape)}, expected {tuple(p.shape)}")
    if dtype_name(x) != dtype_name(p):  # names, for dtypes of two libraries do not compare
        raise LeafError(
            f"{what}: {label(path)} has dtype {dtype_name(x)}, expected {dtype_name(p)} like the parameter; cast it"
        )


def check_real(leaves: Mapping[str, Array], xp: Namespace) -> None:
    """Raise unless every parameter holds real floating-point numbers."""
    for path, p in leaves.items():
        if dtype_name(p) != "bfloat16" and not xp.isdtype(p.dtype, "real floating"):
            raise LeafError(
                f"params: {label(path)} has dtype {dtype_name(p)}, expected a real floating dtype; "
                "cast it, for example to float32"
            )


def common_namespace(**trees: Mapping[str, Array]) -> Namespace:
    """Return the one namespace of all leaves of the named flat trees; name the first leaf that strays."""
    every = [(what, path, x) for what, leaves in trees.items() for path, x in leaves.items()]
    try:
        return namespace(*(x for _, _, x in every))
    except BackendError as error:
        first_what, first_path, first = every[0]
        for what, path, x in every:
            try:
                namespace(first, x)
            except BackendError:
                raise LeafError(
                    f"{what}: {label(path)} is a {type(x).__module__}.{type(x).__name__}, but {first_what} "
                    f"{label(first_path)} is a {type(first).__module__}.{type(first).__name__}; "
                    "keep params, gradients and state in one array library"
                ) from error
        raise
