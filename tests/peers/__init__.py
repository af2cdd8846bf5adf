"""Tests against other libraries: they are compiled for a few steps each, so that XLA should compile quickly."""

import os

from validation.peers.jobs import XLA

# read when jax is first used
os.environ.setdefault("XLA_FLAGS", XLA)
