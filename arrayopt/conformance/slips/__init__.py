"""Slips: classic mistakes as rules that make them, and the catalogue of them."""
