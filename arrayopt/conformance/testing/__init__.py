"""Candidates in test suites: one pytest id for each candidate and check."""
