"""Prometheus metrics of this process. In a scaled installation, scrape each process."""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Gauge

from executions.core import worker
from executions.models import Execution
from executions.signals import execution_changed

CHANGES = Counter("rushes_job_changes", "Job changes written by this process, by status.", ["status"])
DELIVERIES = Counter(
    "rushes_webhook_deliveries", "Webhook deliveries handled by this process, by outcome.", ["outcome"]
)
SOCKETS = Gauge("rushes_live_sockets", "Pages connected to this process.")
IN_FLIGHT = Gauge("rushes_jobs_in_flight", "Unfinished jobs of the whole installation.", ["status"])

LAST_BEAT = Gauge(
    "rushes_worker_last_beat_timestamp_seconds",
    "Last heartbeat of each background worker of this process, as Unix time.",
    ["worker"],
)


def listen() -> None:
    execution_changed.connect(_changed, dispatch_uid="dashboard.http.metrics")


def _changed(*, to_status: str, **_: Any) -> None:
    CHANGES.labels(to_status).inc()


def refresh() -> None:
    """Update the gauges that are measured on scraping; the index of jobs in flight makes that cheap."""
    IN_FLIGHT.clear()
    for status, count in Execution.objects.unfinished().count_by("status").items():
        IN_FLIGHT.labels(status).set(count)
    LAST_BEAT.clear()
    for each in worker.running():
        LAST_BEAT.labels(each.name).set(each.last_beat)
