"""Objectives shared by tests, experiments and documentation: test functions, data sets and losses."""
