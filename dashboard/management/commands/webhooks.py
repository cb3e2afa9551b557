"""`manage.py webhooks`: manage the account's webhook endpoints."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.http.paths import RECEIVER_PATH
from executions import policy
from executions.core import runtime
from executions.videogen import VideoGenError
from executions.webhooks import endpoints as webhook_endpoints


class Command(BaseCommand):
    help = "Register, list, delete and rotate the webhook endpoints of the VideoGen account."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="Show the account's endpoints.")
        register = acts.add_parser("register", help="Register an endpoint; its secret is stored encrypted.")
        register.add_argument(
            "--url", default="", help="URL to register. Default: the receiver under PUBLIC_URL."
        )
        for act, words in (("delete", "Delete an endpoint."), ("rotate", "Rotate an endpoint's secret.")):
            acts.add_parser(act, help=words).add_argument("id", help="The endpoint's id, as `list` shows it.")

    def handle(self, *, act: str, url: str = "", id: str = "", **options: Any) -> None:
        if settings.USES_SANDBOX:
            raise CommandError(
                "VIDEOGEN_API_KEY must be set: `manage.py serve` registers the sandbox's endpoint."
            )
        try:
            asyncio.run(self.run(act, url, id))
        except VideoGenError as error:
            raise CommandError(f"VideoGen rejected this: {error.message}") from None
        finally:
            runtime.close_database_threads()

    async def run(self, act: str, url: str, remote_id: str) -> None:
        runtime.attach(asyncio.get_running_loop())
        try:
            if act == "register":
                registered = await webhook_endpoints.register(url or self.own_url(), actor=policy.SYSTEM)
                self.stdout.write(
                    f"Registered {registered.remote_id} at {registered.url} (secret \N{HORIZONTAL ELLIPSIS}{registered.secret_last4})."
                )
            else:
                await self.act_on(act, remote_id)
        finally:
            await runtime.close_client()
            runtime.detach()

    async def act_on(self, act: str, remote_id: str) -> None:
        endpoints = await webhook_endpoints.overview()
        if act == "list":
            for each in endpoints:
                state = (
                    "verified by Rushes"
                    if each.remote and each.local
                    else "external"
                    if each.remote
                    else "deleted at VideoGen"
                )
                self.stdout.write(
                    f"{each.remote_id}  {each.url}  \N{HORIZONTAL ELLIPSIS}{each.last4}  {state}"
                )
            return
        endpoint = next((each for each in endpoints if each.remote_id == remote_id), None)
        if endpoint is None:
            raise CommandError(f"The account has no webhook endpoint {remote_id}.")
        if act == "delete":
            await webhook_endpoints.remove(remote_id, actor=policy.SYSTEM)
            self.stdout.write(f"Deleted {remote_id}.")
        else:
            fresh = await webhook_endpoints.rotate(endpoint, actor=policy.SYSTEM)
            self.stdout.write(
                f"{fresh.remote_id} (secret \N{HORIZONTAL ELLIPSIS}{fresh.secret_last4}) replaces {remote_id}."
            )

    def own_url(self) -> str:
        if not settings.PUBLIC_URL:
            raise CommandError(
                "Set --url or PUBLIC_URL to the address under which VideoGen can reach Rushes."
            )
        return f"{settings.PUBLIC_URL}/{RECEIVER_PATH}"
