"""Readers of a rule's one text: in-place steps, rounding bounds, formulas, costs."""
