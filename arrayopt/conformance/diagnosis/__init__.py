"""Diagnosis: the model that does what a candidate did."""
