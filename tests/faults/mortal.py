"""`manage.py serve` that is killed, as by `kill -9`, at one moment of one start: run as `-m tests.faults.mortal`.

DIE_AT names the moment: `written` (the row is there, nothing else), `sending` (about to send), `answered` (VideoGen
has answered, nothing of that is written). Only a job whose prompt says `[DIE_AT]` dies of it.
"""

from __future__ import annotations

import os
import signal
import sys
import uuid
from typing import Any


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    import daphne.server  # noqa: F401 - the server's event loop has to be installed first
    import django
    from django.core.management import execute_from_command_line

    django.setup()
    from executions.models import Execution
    from executions.sync import submit
    from executions.videogen import VideoGen

    moment = os.environ["DIE_AT"]
    begin, start_tool = submit._begin, VideoGen.start_tool

    def mortal_begin(execution_id: uuid.UUID) -> Any:
        if moment == "written" and "[written]" in Execution.objects.get(pk=execution_id).prompt:
            die()
        return begin(execution_id)

    async def mortal_start(self: VideoGen, slug: str, body: Any) -> Any:
        if moment == "sending" and "[sending]" in body["prompt"]:
            die()
        answer = await start_tool(self, slug, body)
        if moment == "answered" and "[answered]" in body["prompt"]:
            die()
        return answer

    submit._begin = mortal_begin
    VideoGen.start_tool = mortal_start  # type: ignore[method-assign]
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
