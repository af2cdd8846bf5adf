"""Errors: each says which argument or leaf, what was expected, what came, and what to do."""


class ArrayOptError(ValueError):
    """Base of every error that arrayopt raises on purpose."""


class OptionError(ArrayOptError):
    """A hyper-parameter or dialect is unknown, of the wrong kind or out of range."""


class LeafError(ArrayOptError):
    """A leaf of a tree has the wrong structure, shape, dtype or array library."""


class TraceError(ArrayOptError):
    """A rule's text does something that its tape could not replay."""


class BackendError(ArrayOptError):
    """An array library was asked for that is unknown or not usable here."""


class MissingPeerError(ArrayOptError):
    """A package to compare with is not installed."""
