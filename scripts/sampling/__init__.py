"""Experiments on optimisation as sampling."""
