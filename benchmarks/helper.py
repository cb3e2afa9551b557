"""Run the official client's polling helper in a separate process, so that it does not slow down the measurement.

Reads ids of jobs from stdin, one per line. Prints each with the time (Unix seconds) at which the helper returned.
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
TIMEOUT = 30_000  # milliseconds


def watch(client: VideoGenApi, remote_id: str) -> None:
    # Start at a random moment, so that the time until the next poll is random as well.
    time.sleep(random.uniform(0, INTERVAL))
    poll_executed_tool(client, remote_id, timeout_ms=TIMEOUT)
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
