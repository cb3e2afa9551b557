"""Finds jobs among millions: filters that combine, every order paged by keys, no OFFSET and no count of the table."""

from executions.finding.filters import NO_CODE, Choice, Filters
from executions.finding.orders import ORDERS, Order
from executions.finding.pages import Found, count_newer, every, page

__all__ = ["NO_CODE", "ORDERS", "Choice", "Filters", "Found", "Order", "count_newer", "every", "page"]
