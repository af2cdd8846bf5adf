"""Correct implementations of every rule, in other orders of operations than that of its text."""

from validation.false_alarms.orders import adam, adaptive, descent, layerwise, matrix, sign
from validation.false_alarms.port import Order

ORDERS: dict[str, tuple[Order, ...]] = {
    name: orders
    for family in (descent, adaptive, adam, sign, matrix, layerwise)
    for name, orders in family.ORDERS.items()
}
"""Name of a rule -> ways to compute it."""
