"""optax.contrib.prodigy and dadapt_adamw: a first gradient of zero gives NaN for ever."""

import sys

import jax.numpy as jnp
import optax

name = sys.argv[1] if len(sys.argv) > 1 else "prodigy"
optimizer = getattr(optax.contrib, name)()
p = jnp.ones(3)
state = optimizer.init(p)
for g in (jnp.zeros(3), jnp.ones(3), jnp.ones(3)):
    update, state = optimizer.update(g, state, p)
    p = optax.apply_updates(p, update)
print(f"optax {optax.__version__} {name}: {p}")
sys.exit(bool(jnp.isnan(p).any()))
