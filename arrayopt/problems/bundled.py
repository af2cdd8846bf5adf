"""Data sets that scikit-learn brings along, so that they need no network."""

from collections.abc import Mapping

import numpy as np

from arrayopt.errors import MissingPeerError, OptionError

TWO_CLASSES: Mapping[str, int] = {"breast_cancer": 1, "digits": 5}
"""The data sets of two classes by name, and the least target that is labelled 1; the rest are labelled -1."""


def two_classes(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a data set of two classes, standardised.

    Columns have mean 0 and population variance 1; those that are constant are dropped, and the last one is all ones.

    Parameters
    ----------
    name : str
        "breast_cancer" (569 rows, 31 columns; benign is 1) or "digits" (1797 rows, 62 columns; digits from 5 on are 1).

    Returns
    -------
    x : array, shape (m, n)
    t : array, shape (m,)
        Labels, 1.0 and -1.0.

    Raises
    ------
    OptionError
        If there is no such data set.
    MissingPeerError
        If scikit-learn is not installed.
    """
    if name not in TWO_CLASSES:
        raise OptionError(f"unknown data set {name!r}; there are {', '.join(TWO_CLASSES)}")
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingPeerError(
            f"the data set {name!r} comes with scikit-learn, which is not installed; `pip install scikit-learn`"
        ) from error
    raw, target = getattr(datasets, f"load_{name}")(return_X_y=True)
    varied = raw[:, np.ptp(raw, axis=0) > 0]
    scaled = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    return np.column_stack([scaled, np.ones(len(raw))]), np.where(target >= TWO_CLASSES[name], 1.0, -1.0)
