from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"

    def ready(self) -> None:
        from dashboard import live, metrics, remarks

        live.listen()
        metrics.listen()
        remarks.listen()
