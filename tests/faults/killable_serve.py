"""`manage.py serve` that kills itself, as `kill -9` would, at one moment of a start: `-m tests.faults.killable_serve`.

KILL_AT names the moment: `written` (only the row exists), `sending` (just before the request), `answered` (VideoGen
has responded, and nothing of it is stored). Only a job with that word in brackets in its prompt triggers the kill.
"""

from __future__ import annotations

import os
import signal
import sys
import uuid
from typing import Any


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    import daphne.server  # noqa: F401 - installs the server's event loop, before anything else
    import django
    from django.core.management import execute_from_command_line

    django.setup()
    from executions.models import Execution
    from executions.sync import submit
    from executions.videogen import VideoGen

    moment = os.environ["KILL_AT"]
    begin, start_tool = submit._prepare, VideoGen.start_tool

    def begin_or_kill(execution_id: uuid.UUID) -> Any:
        if moment == "written" and "[written]" in Execution.objects.get(pk=execution_id).prompt:
            kill_self()
        return begin(execution_id)

    async def start_or_kill(self: VideoGen, slug: str, body: Any) -> Any:
        if moment == "sending" and "[sending]" in body["prompt"]:
            kill_self()
        answer = await start_tool(self, slug, body)
        if moment == "answered" and "[answered]" in body["prompt"]:
            kill_self()
        return answer

    submit._prepare = begin_or_kill
    VideoGen.start_tool = start_or_kill  # type: ignore[method-assign]
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
