"""APIs: how the optimizers of each framework are made and stepped, as templates of Python.

To add a framework, write one `Api`, and name it where its adapter makes candidates.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Api:
    """How the optimizers of one framework are used.

    Its lines and expressions are templates. In them ``{optimizer}`` is the class or function, ``{options}`` its keyword
    arguments, ``{params}`` what it is given as parameters, ``{grads}`` the gradients as the framework's arrays,
    ``{dtype}`` their precision, and ``{x}`` the numbers of one leaf. A script has the variables ``params``, ``grads``
    (numbers) and, where the rate changes, ``lr``.

    Attributes
    ----------
    param, gradient : str
        An expression: a leaf as a parameter, and as a gradient.
    make : tuple of str
        Lines that make the optimizer on ``params``.
    step : tuple of str
        Lines that take a step.
    got : str
        An expression: the array of ``{leaf}``, to be indexed.
    rate : tuple of str
        Lines that change the learning rate to ``lr``, which is what ``{options}`` say there.
    imports : tuple of str
        Lines ahead of all others.
    homes : tuple of str
        Modules in which users find the optimizers, where that is no package around the one that defines them.
    params : str
        An expression: what stands for ``{params}``.
    tree : {"list", "dict", "array"}
        The form of ``params`` and ``grads``.
    whole : bool
        Whether `step` takes all steps at once, whose gradients are ``steps[i]``.
    """

    param: str
    gradient: str
    make: tuple[str, ...]
    step: tuple[str, ...]
    got: str = "{leaf}"
    rate: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    homes: tuple[str, ...] = ()
    params: str = "params"
    tree: Literal["list", "dict", "array"] = "list"
    whole: bool = False


NUMPY = "np.array({x}, {dtype!r})"
ON_TREE = ("for p, g in zip(params, {grads}):", "    p.grad = g", "optimizer.step()")
"""The step of optimizers that find each gradient at its parameter."""

PYTHON = Api(
    imports=("import numpy as np",),
    param=NUMPY,
    gradient=NUMPY,
    make=("optimizer = {optimizer}({params}, {options})",),
    step=("result = optimizer.step({grads})", "params = params if result is None else result"),
    got="np.asarray({leaf})",
    rate=("optimizer.set(lr=lr)",),
)
"""An optimizer as `Candidate` takes it: made from parameters, with ``step(grads)``."""

TORCH = Api(
    imports=("import torch",),
    param="torch.nn.Parameter(torch.tensor({x}, dtype=torch.{dtype}))",
    gradient="torch.tensor({x}, dtype=torch.{dtype})",
    make=("optimizer = {optimizer}({params}, {options})",),
    step=ON_TREE,
    got="{leaf}.detach()",
    rate=('optimizer.param_groups[0]["lr"] = lr',),
)

OPTAX = Api(
    imports=("import jax", "import optax", 'jax.config.update("jax_enable_x64", True)'),
    param="jax.numpy.array({x}, {dtype!r})",
    gradient="jax.numpy.array({x}, {dtype!r})",
    make=("optimizer = {optimizer}({options})", "state = optimizer.init(params)"),
    step=(
        "updates, state = optimizer.update({grads}, state, params)",
        "params = optax.apply_updates(params, updates)",
    ),
    rate=("optimizer = {optimizer}({options})",),
)

MLX = Api(
    imports=("import mlx.core as mx", "mx.set_default_device(mx.cpu)"),
    param="mx.array({x}, mx.{dtype})",
    gradient="mx.array({x}, mx.{dtype})",
    make=("optimizer = {optimizer}({options})",),
    # one level down, since mlx keeps the state of a leaf beside "step" and "learning_rate"
    step=('params = optimizer.apply_gradients({{"leaves": {grads}}}, {{"leaves": params}})["leaves"]',),
    rate=("optimizer.learning_rate = lr",),
)

TINYGRAD = Api(
    imports=("import os", 'os.environ.update(DEV="PYTHON", TRAINING="1")', "from tinygrad import Tensor"),
    param="Tensor({x}, dtype={dtype!r})",
    gradient="Tensor({x}, dtype={dtype!r})",
    make=("optimizer = {optimizer}({params}, {options})",),
    step=ON_TREE,
    got="{leaf}.numpy()",
    rate=("optimizer.lr.assign(Tensor([lr], dtype=optimizer.lr.dtype)).realize()",),
)

SKLEARN = Api(
    imports=("import numpy as np",),
    param=NUMPY,
    gradient=NUMPY,
    make=("optimizer = {optimizer}({params}, {options})",),
    step=("optimizer.update_params(params, {grads})",),
    rate=("optimizer.learning_rate = optimizer.learning_rate_init = lr",),
)

AUTOGRAD = Api(
    imports=("import numpy as np",),
    param=NUMPY,
    gradient=NUMPY,
    make=(),
    step=("params = {optimizer}(lambda x, i: {grads}, params, None, len(steps), {options})",),
    whole=True,
)


def keras(backend: str) -> Api:
    """Return how keras is used on a backend."""
    return Api(
        imports=("import os", f'os.environ["KERAS_BACKEND"] = "{backend}"', "import keras"),
        homes=("keras.optimizers",),
        param="keras.Variable({x}, dtype={dtype!r})",
        gradient="keras.ops.convert_to_tensor({x}, {dtype!r})",
        make=("optimizer = {optimizer}({options})",),
        step=("optimizer.apply({grads}, params)",),
        got="keras.ops.convert_to_numpy({leaf})",
        rate=("optimizer.learning_rate = lr",),
    )
