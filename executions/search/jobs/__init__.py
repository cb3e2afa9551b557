"""Finds jobs among millions: filters that combine, every order paged by keys, no OFFSET and no count of the table."""

from executions.search.jobs.filters import NO_CODE, Choice, Filters
from executions.search.jobs.ordering import ORDERS, Order
from executions.search.jobs.paging import Found, count_newer, every, page

__all__ = ["NO_CODE", "ORDERS", "Choice", "Filters", "Found", "Order", "count_newer", "every", "page"]
