r"""Positive definite matrices near a symmetric one, as pure functions: what Newton's method solves with.

Where the Hessian is not positive definite, Newton's direction need not descend, or need not exist. Each function here
returns what makes it so: a multiple of I (`shift`), a diagonal (`gill_murray_wright`), or other eigenvalues
(`flipped`). None knows units: for a multiple of the matrix they return that multiple. Bit by bit they do so where
the multiple is a power of two, `gill_murray_wright` always, and the others after `factors.power_of_two`.
"""

import math

from array_api_compat import device

from arrayopt.backend import Array, fetch, namespace
from arrayopt.secondorder.factors import cholesky

SHARE = 1e-3
"""Of the Frobenius norm: the least shift of a matrix that needs one."""
MOST = 100
"""Doublings of the shift."""


def shift(A: Array, least: float = math.inf) -> float:
    r"""Return a :math:`\tau \ge 0` such that A + tau I is positive definite; 0 if A is.

    .. math:: \tau_0 = \begin{cases} 0 & \min_i a_{ii} > 0 \\ \beta - \min_i a_{ii} & \text{else} \end{cases} \qquad
              \tau_{j+1} = \max(2 \tau_j, \beta), \qquad \beta = \min(10^{-3} \|A\|_F, least)

    until the Cholesky factorisation exists.

    Parameters
    ----------
    A : array, shape (n, n)
        Symmetric, not all zeros.
    least : float
        Where less than the usual beta is to be tried first, as :math:`\tau / 4` of a matrix near by.

    Raises
    ------
    ArithmeticError
        If there is none, because A is zero or not finite.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2006, algorithm 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> shift(np.array([[2.0, 0.0], [0.0, 1.0]]))
    0.0
    >>> shift(np.array([[2.0, 0.0], [0.0, -1.0]]))
    1.00224
    """
    xp = namespace(A)
    lowest, square = fetch(xp, xp.min(xp.linalg.diagonal(A)), xp.sum(A * A))
    norm = math.sqrt(square)
    beta = min(SHARE * norm, max(least, float(xp.finfo(A.dtype).eps) * norm))
    tau = 0.0 if lowest > 0 else beta - lowest
    for _ in range(MOST):
        if cholesky(shifted(A, tau)) is not None:
            return tau
        tau = max(2 * tau, beta)
    raise ArithmeticError("no multiple of I makes this matrix positive definite")


def least_shift(A: Array) -> float:
    r"""Return :math:`10^{-3} \|A\|_F`, after which a matrix that was positive definite but for rounding is well so."""
    xp = namespace(A)
    return SHARE * math.sqrt(fetch(xp, xp.sum(A * A))[0])


def identity(A: Array) -> Array:
    """Return I, like A."""
    return namespace(A).eye(A.shape[0], dtype=A.dtype, device=device(A))


def shifted(A: Array, tau: float) -> Array:
    """Return A + tau I."""
    return A + tau * identity(A) if tau else A


def gill_murray_wright(A: Array) -> Array:
    r"""Return an e >= 0 such that A + diag(e) is positive definite, by a Cholesky factorisation with bounded factors.

    In the factorisation :math:`L D L'` of A, with the largest :math:`|c_{jj}|` of those left as the next pivot, it is

    .. math:: d_j = \max\left(|c_{jj}|, \; (\theta_j / \beta)^2, \; \delta\right), \qquad e_j = d_j - c_{jj}, \qquad
              \theta_j = \max_{i > j} |c_{ij}|

    with :math:`\beta^2 = \max(\gamma, \xi / \sqrt{n^2 - 1})`, where gamma and xi are the largest moduli on and off
    the diagonal, and :math:`\delta = \epsilon (\gamma + \xi)`. So :math:`|l_{ij}| \sqrt{d_j} \le \beta`, and e is 0
    if A is positive definite and all :math:`d_j \ge \delta`.

    Parameters
    ----------
    A : array, shape (n, n)
        Symmetric and finite, not all zeros.

    Notes
    -----
    The columns of L are whole outer products here, and rows that have been pivots are masked: no element is written,
    and nothing is fetched from a device.

    References
    ----------
    Gill, Murray and Wright, Practical Optimization, 1981, section 4.4.2.2.

    Examples
    --------
    >>> import numpy as np
    >>> gill_murray_wright(np.array([[2.0, 0.0], [0.0, -1.0]]))
    array([0., 2.])
    """
    xp, n = namespace(A), A.shape[0]
    diagonal = xp.linalg.diagonal(A)
    index = xp.arange(n, device=device(A))
    gamma = xp.max(xp.abs(diagonal))
    xi = xp.max(xp.where(index[:, None] == index[None, :], xp.zeros_like(A), xp.abs(A)))
    squared = xp.maximum(gamma, xi / math.sqrt(max(n * n - 1, 1)))
    delta = float(xp.finfo(A.dtype).eps) * (gamma + xi)
    left, zero, e = index >= 0, xp.zeros_like(diagonal), xp.zeros_like(diagonal)
    for _ in range(n):
        c = xp.linalg.diagonal(A)
        at = index == xp.argmax(xp.where(left, xp.abs(c), zero - 1))
        left = left & ~at
        column = xp.where(left, A @ xp.astype(at, A.dtype), zero)
        pivot, theta = xp.sum(xp.where(at, c, zero)), xp.max(xp.abs(column))
        d = xp.maximum(xp.maximum(xp.abs(pivot), theta * theta / squared), delta)
        e = xp.where(at, d - pivot, e)
        A = A - column[:, None] * (column[None, :] / d)
    return e


def flipped(A: Array) -> tuple[Array, Array]:
    r"""Return the moduli of the eigenvalues of A, those near 0 raised, and its eigenvectors in columns.

    .. math:: |A| = Q \, \max(|\Lambda|, \; n \epsilon \max_i |\lambda_i|) \, Q'

    A direction of negative curvature stays a direction, and is taken downhill: saddle points repel.

    Parameters
    ----------
    A : array, shape (n, n)
        Symmetric and finite, not all zeros.

    References
    ----------
    Greenstadt, On the relative efficiencies of gradient methods, 1967.
    Dauphin et al., Identifying and attacking the saddle point problem, arXiv:1406.2572.

    Examples
    --------
    >>> import numpy as np
    >>> flipped(np.array([[2.0, 0.0], [0.0, -1.0]]))[0]
    array([1., 2.])
    """
    xp = namespace(A)
    eigenvalues, Q = xp.linalg.eigh(A)
    size = xp.abs(eigenvalues)
    # An eigenvalue below is nothing but rounding errors; more is not raised, for scales of x may differ by as much.
    return xp.maximum(size, A.shape[0] * float(xp.finfo(A.dtype).eps) * xp.max(size)), Q
