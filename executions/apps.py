"""Set-up of the domain: after each migration, the triggers of the audit log and the search indexes exist."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class ExecutionsConfig(AppConfig):
    name = "executions"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from executions.audit import triggers
        from executions.search.text.indexes import ensure_all

        pre_migrate.connect(triggers.before_migrations, sender=self)
        post_migrate.connect(triggers.after_migrations, sender=self)
        post_migrate.connect(ensure_all, sender=self, dispatch_uid="executions.search.text")
