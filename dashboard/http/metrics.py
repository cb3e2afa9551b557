"""What this process counts, for Prometheus. Each process of a scaled installation is scraped by itself."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from prometheus_client import Counter, Gauge

from executions.core import worker
from executions.models import Execution
from executions.signals import execution_changed

CHANGES = Counter(
    "rushes_job_changes", "Changes of jobs that this process wrote, by their status.", ["status"]
)
DELIVERIES = Counter(
    "rushes_webhook_deliveries", "Webhook deliveries answered here, by outcome.", ["outcome"]
)
SOCKETS = Gauge("rushes_live_sockets", "Pages that are connected to this process.")
IN_FLIGHT = Gauge("rushes_jobs_in_flight", "Jobs of the whole installation that have not ended.", ["status"])

LAST_BEAT = Gauge(
    "rushes_worker_last_beat_timestamp_seconds",
    "When each background worker of this process last showed that it lives, as Unix time.",
    ["worker"],
)


def listen() -> None:
    execution_changed.connect(_changed, dispatch_uid="dashboard.http.metrics")


def _changed(*, to_status: str, **_: Any) -> None:
    CHANGES.labels(to_status).inc()


def look() -> None:
    """Read what is not counted but measured; the index over what is in flight makes that cheap."""
    IN_FLIGHT.clear()
    in_flight = Execution.objects.filter(ended_at=None).order_by()
    for status, count in in_flight.values_list("status").annotate(Count("pk")):
        IN_FLIGHT.labels(status).set(count)
    LAST_BEAT.clear()
    for each in worker.running():
        LAST_BEAT.labels(each.name).set(each.last_beat)
