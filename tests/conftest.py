"""Hypothesis profiles: the same examples on every run; `deep` looks further (``--hypothesis-profile=deep``)."""

from hypothesis import settings

# a deadline measures the machine, not the library
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=2000)
settings.load_profile("default")
