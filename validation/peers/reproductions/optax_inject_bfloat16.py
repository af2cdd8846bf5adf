"""optax: inject_hyperparams keeps b2 = 0.999 in the parameters' bfloat16, where it is 1, and Adam becomes NaN."""

import sys
import warnings

import jax.numpy as jnp
import optax

warnings.simplefilter("ignore")  # one of the two is deprecated
name = sys.argv[1] if len(sys.argv) > 1 else "inject_hyperparams"
after = {}
for how, optimizer in {"adam": optax.adam(0.1), name: getattr(optax, name)(optax.adam)(learning_rate=0.1)}.items():
    p = jnp.ones(2, jnp.bfloat16)
    state = optimizer.init(p)
    for _ in range(3):
        update, state = optimizer.update(jnp.ones_like(p), state, p)
        p = optax.apply_updates(p, update)
    after[how] = p
print(f"optax {optax.__version__}, three steps in bfloat16: {after}")
sys.exit(int(bool(jnp.isnan(after[name]).any())))
