"""Set-up of the dashboard: live updates and metrics listen to the signals of the domain."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"

    def ready(self) -> None:
        from dashboard.http import metrics
        from dashboard.live import comments as live_comments
        from dashboard.live import publisher

        publisher.listen()
        metrics.listen()
        live_comments.listen()
