"""The official client's polling helper at work, in a process of its own so that it does not slow down who measures.

Reads ids of jobs, one on each line; prints each with the time (Unix seconds) at which the helper knew of its end.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time

from videogen import VideoGenApi
from videogen.poll_executed_tool import poll_executed_tool

INTERVAL = 1.5  # seconds, the helper's own default
PATIENCE = 30_000  # milliseconds


def watch(client: VideoGenApi, remote_id: str) -> None:
    # Begun at any moment, as jobs are: the time of the next look is a matter of chance.
    time.sleep(random.uniform(0, INTERVAL))
    poll_executed_tool(client, remote_id, timeout_ms=PATIENCE)
    print(remote_id, time.time(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.helper", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key")
    service = parser.parse_args()
    client = VideoGenApi(token=service.key, base_url=service.url)
    for line in sys.stdin:
        threading.Thread(target=watch, args=(client, line.strip()), daemon=True).start()


if __name__ == "__main__":
    main()
