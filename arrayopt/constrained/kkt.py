r"""The Karush-Kuhn-Tucker system of equality constraints: n + k equations in n + k unknowns, as pure functions.

The Lagrangian is :math:`L(x, \lambda) = f(x) - \lambda^T c(x)` throughout this package, so that at a solution
:math:`\nabla f = \sum_i \lambda_i \nabla c_i`.
"""

from array_api_compat import device

from arrayopt.backend import Array, namespace, to_numpy


def kkt_matrix(w: Array, j: Array) -> Array:
    r"""Return the symmetric matrix of the system.

    .. math:: \begin{pmatrix} W & J^T \\ J & 0 \end{pmatrix}

    Parameters
    ----------
    w : array, shape (..., n, n)
        The Hessian of the Lagrangian in x, :math:`\nabla^2 f - \sum_i \lambda_i \nabla^2 c_i`.
    j : array, shape (..., k, n)
        The gradients of the constraints as rows.

    Returns
    -------
    array, shape (..., n + k, n + k)
        Up to the signs of the last k rows and columns, it is the Hessian of L over all n + k unknowns. Where J has
        full rank and W is positive definite on its null space, it has n positive and k negative eigenvalues: the
        solution is a saddle of L.
    """
    xp, k = namespace(w, j), j.shape[-2]
    none = xp.zeros((*j.shape[:-2], k, k), dtype=j.dtype, device=device(j))
    return xp.concat(
        [xp.concat([w, xp.matrix_transpose(j)], axis=-1), xp.concat([j, none], axis=-1)],
        axis=-2,
    )


def kkt_step(w: Array, j: Array, g: Array, c: Array, pseudo: bool = False) -> tuple[Array, Array]:
    r"""Return Newton's step for the n + k equations :math:`\nabla f - J^T \lambda = 0, \; c = 0`, of a batch at once.

    .. math::
        \begin{pmatrix} W & J^T \\ J & 0 \end{pmatrix} \begin{pmatrix} d \\ -\lambda_+ \end{pmatrix}
        = - \begin{pmatrix} \nabla f \\ c \end{pmatrix}

    It is also the solution of the quadratic program :math:`\min_d \nabla f^T d + \tfrac12 d^T W d` with
    :math:`c + J d = 0`, where that has one.

    Parameters
    ----------
    w : array, shape (..., n, n)
    j : array, shape (..., k, n)
    g : array, shape (..., n)
        The gradient of the objective, not of L.
    c : array, shape (..., k)
    pseudo : bool
        Solve in the sense of least squares, by the pseudo-inverse, which a singular matrix has too.

    Returns
    -------
    d : array, shape (..., n)
        The step in x.
    multipliers : array, shape (..., k)
        The new multipliers themselves, not a step.

    Raises
    ------
    LinAlgError
        Of the array library, if the matrix is singular and the library says so; others return what is not finite.

    Notes
    -----
    W and g are divided by the largest modulus in W first. It keeps the system's two parts of comparable size, and
    makes the step in x the same to the last bit if the objective is multiplied by a power of 2.

    Examples
    --------
    The point of the line x + y = 1 nearest to the origin, for half the squared distance, from (3, 4):

    >>> import numpy as np
    >>> x = np.asarray([3.0, 4.0])
    >>> d, multipliers = kkt_step(np.eye(2), np.ones((1, 2)), x, np.asarray([x.sum() - 1]))
    >>> x + d, multipliers
    (array([0.5, 0.5]), array([0.5]))
    """
    xp, n = namespace(w, j, g, c), w.shape[-1]
    largest = xp.max(xp.abs(w), axis=(-2, -1))
    scale = xp.where(largest > 0, largest, xp.ones_like(largest))[..., None]
    matrix = kkt_matrix(w / scale[..., None], j)
    right = -xp.concat([g / scale, c], axis=-1)[..., None]
    out = xp.linalg.pinv(matrix) @ right if pseudo else xp.linalg.solve(matrix, right)
    return out[..., :n, 0], -scale * out[..., n:, 0]


def nearest_multipliers(j: Array, g: Array) -> Array:
    r"""Return the multipliers that explain a gradient best, of a batch at once.

    .. math:: \lambda = \arg\min \| g - J^T \lambda \|

    the shortest of them where the rows of J are dependent.

    Parameters
    ----------
    j : array, shape (..., k, n)
    g : array, shape (..., n)

    Returns
    -------
    array, shape (..., k)
    """
    if not j.shape[-2]:
        return g[..., :0]
    xp = namespace(j, g)
    return (xp.linalg.pinv(xp.matrix_transpose(j)) @ g[..., None])[..., 0]


def inertia(a: Array) -> tuple[int, int, int]:
    """Return how many eigenvalues of a symmetric matrix are positive, negative and zero.

    Zero means a modulus of at most n eps times the largest one.

    Examples
    --------
    The Lagrangian of (x^2 + y^2)/2 with one constraint x + y = 1 has a saddle, whatever the point:

    >>> import numpy as np
    >>> inertia(kkt_matrix(np.eye(2), np.ones((1, 2))))
    (2, 1, 0)
    """
    xp = namespace(a)
    eigenvalues = to_numpy(xp.linalg.eigvalsh(a)).astype(float)
    floor = eigenvalues.size * float(xp.finfo(a.dtype).eps) * max(abs(eigenvalues), default=0.0)
    positive, negative = int((eigenvalues > floor).sum()), int((eigenvalues < -floor).sum())
    return positive, negative, eigenvalues.size - positive - negative
