"""optax: radam at b2 = 0.99999 takes the rectified step at once in float32, since rho_1 = 1 comes out as 273."""

import sys

import jax
import jax.numpy as jnp
import optax


def moved(double):
    with jax.enable_x64(double):
        optimizer, p = optax.radam(1.0, b2=0.99999), jnp.zeros(1, "float32")
        update, _ = optimizer.update(jnp.ones(1, "float32"), optimizer.init(p), p)
        return float(update[0])


single, double = moved(False), moved(True)
print(f"optax {optax.__version__}, first step on a gradient of 1: {single} without x64, {double} with it")
sys.exit(int(abs(single - double) > 0.1))
