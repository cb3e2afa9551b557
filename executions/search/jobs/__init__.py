"""Finds jobs among millions, with any combination of filters and in any order.

Pages use keyset pagination: no query has an OFFSET, and none counts the whole table.
"""

from executions.search.jobs.filters import NO_CODE, FilterChoice, Filters
from executions.search.jobs.ordering import ORDERS, Order
from executions.search.jobs.paging import JobPage, count_newer, iterate, iterate_values, page

__all__ = [
    "NO_CODE",
    "ORDERS",
    "FilterChoice",
    "Filters",
    "JobPage",
    "Order",
    "count_newer",
    "iterate",
    "iterate_values",
    "page",
]
