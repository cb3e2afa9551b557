"""Run jobs of every tool under random faults, and compare each with the sandbox. Exit code 1 on any mismatch.

`--database postgres` runs two servers and a reconciler on a temporary PostgreSQL server, which crashes once as well.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cluster import Cluster
from soak.site import Program, Site
from soak.trouble import Trouble

if TYPE_CHECKING:
    from soak.truth import Line

# Share of the time in which jobs are started; the rest is for late webhooks and retries.
START_SHARE = 0.7
# Seconds for everything to settle at the end. A job that could not be polled waits up to five minutes.
SETTLE_TIMEOUT = 900.0
FAULT_CHANGES = 20

# Number of jobs after which it happens, name for the report (empty: not reported), action.
type Act = tuple[int, str, Callable[[], None]]


def log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def soak(site: Site, options: argparse.Namespace, chance: random.Random) -> list[Line]:
    """Run the whole soak and return the lines of its report."""
    from soak.forms import FIRST, planned_jobs, video_tools
    from soak.load import Load
    from soak.truth import Line, Truth, settled, summary

    planned = planned_jobs(options.jobs, chance)
    always = (
        [{"kind": "job", "match": slug, "fail": "no_films"} for slug in video_tools()]
        if options.light
        else []
    )
    trouble = Trouble(site, chance, always)
    load = Load(site, planned[len(FIRST) :], options.seconds * START_SHARE, site.voice())
    for each in planned[: len(FIRST)]:
        load.first(each)
    if not settled(site, SETTLE_TIMEOUT):
        raise RuntimeError("the first jobs did not finish, although there were no faults yet")
    load.files = files()

    began = time.monotonic()
    load.start()
    acts = plan(site, len(planned) - len(FIRST), options.kills, trouble)
    killed: Counter[str] = Counter()
    while not load.is_over():
        while acts and load.done >= acts[0][0]:
            _, name, act = acts.pop(0)
            act()
            if name:
                log(f"  {load.done} jobs started: {name}")
                killed[name] += 1
        if time.monotonic() - began > options.seconds + SETTLE_TIMEOUT:
            raise RuntimeError(f"stuck after {load.done} jobs; answers: {summary(load.answers)}")
        time.sleep(0.1)
    load.join()
    trouble.end()
    log(
        f"  all {options.jobs} jobs started after {time.monotonic() - began:.0f} s; waiting for them to finish"
    )
    is_settled = settled(site, SETTLE_TIMEOUT, skip_waits=options.light)
    took = time.monotonic() - began
    truth = Truth(site, {each.key for each in planned})
    tracebacks = Counter(line.partition(":")[0] for line in site.tracebacks())
    return [
        Line("time", f"{took:.0f} s", [] if is_settled else ["not everything settled in time"]),
        Line("kills", summary(killed)),
        Line(
            "faults that were triggered", f"{trouble.triggered.total()}, of {len(+trouble.triggered)} kinds"
        ),
        Line("faults that were never triggered", ", ".join(trouble.never) or "none"),
        Line("responses to people", summary(load.answers)),
        Line("uploads", str(load.uploads)),
        *truth.lines(),
        Line("tracebacks in the logs", summary(tracebacks)),
    ]


def plan(site: Site, jobs: int, kills: int, trouble: Trouble) -> list[Act]:
    """Fault changes, kills and crashes, in order."""
    acts: list[Act] = [(jobs * turn // FAULT_CHANGES, "", trouble.next) for turn in range(FAULT_CHANGES)]
    for number in range(kills):
        victim = site.victims[number % len(site.victims)]
        acts.append((jobs * (number + 1) // (kills + 1), f"kill -9 of {victim.name}", partial(kill, victim)))
    if site.cluster is not None:
        acts.append((jobs // 2, "crash of the database", site.restart_database))
    return sorted(acts, key=lambda act: act[0])


def kill(victim: Program) -> None:
    """Kill the process and start it again a second later."""
    victim.kill()
    time.sleep(1)
    victim.start()


def files() -> dict[str, str]:
    """One file of each type, by VideoGen's id."""
    from executions.models import File

    return dict(File.objects.values_list("type", "remote_id"))


def table(lines: list[Line]) -> str:
    width = max(len(line.what) for line in lines)
    verdicts = {True: "ok", False: "OFF"}
    rows = []
    for line in lines:
        verdict = "-" if line.wrong is None else verdicts[not line.wrong]
        rows.append(f"{verdict:3}  {line.what:{width}}  {line.figure}".rstrip())
        rows += [f"       {each}" for each in (line.wrong or [])[:10]]
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument(
        "--light",
        action="store_true",
        help="fail video jobs in the sandbox, and skip the waits between polls at the end; saves most of the time",
    )
    parser.add_argument("--seed", type=int, default=None, help="seed of the random choices")
    parser.add_argument("--keep", type=Path, default=None, help="write the logs to this folder and keep them")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rushes-soak-")))
        folder.mkdir(parents=True, exist_ok=True)
        cluster = stack.enter_context(Cluster()) if options.database == "postgres" else None
        site = Site(folder, cluster)
        os.environ |= site.environment | {
            "DATA_DIR": str(folder / "soak"),
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        }
        log(f"soak on {options.database}: {options.jobs} jobs, {options.kills} kills, seed {seed}")
        stack.enter_context(site)
        import django

        django.setup()
        lines = soak(site, options, random.Random(seed))
    print(table(lines))
    return 1 if any(line.wrong for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
