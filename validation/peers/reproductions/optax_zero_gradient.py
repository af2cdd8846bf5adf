"""optax.contrib.prodigy and dadapt_adamw: a first gradient of zero gives NaN for ever."""

import sys

import jax.numpy as jnp
import optax

wrong = False
for name in ("prodigy", "dadapt_adamw"):
    optimizer = getattr(optax.contrib, name)()
    p = jnp.ones(3)
    state = optimizer.init(p)
    for g in (jnp.zeros(3), jnp.ones(3), jnp.ones(3)):
        update, state = optimizer.update(g, state, p)
        p = optax.apply_updates(p, update)
    print(f"optax {optax.__version__} {name}: {p}")
    wrong |= bool(jnp.isnan(p).any())
sys.exit(wrong)
