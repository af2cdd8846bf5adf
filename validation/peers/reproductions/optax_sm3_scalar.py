"""optax.sm3 fails on a 0-d parameter; its documentation says that it applies to tensors of arbitrary dimensions."""

import sys

import jax.numpy as jnp
import optax

for name in ("adagrad", "sm3"):
    optimizer, p = getattr(optax, name)(0.1), {"scale": jnp.array(1.0)}
    try:
        optimizer.update(p, optimizer.init(p), p)
        print(f"optax {optax.__version__} {name}: runs")
    except IndexError as error:
        print(f"optax {optax.__version__} {name}: {type(error).__name__}: {error}")
        sys.exit(1)
