"""Candidates that are processes: they speak a line protocol of JSON."""
