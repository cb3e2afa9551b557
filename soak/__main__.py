"""Starts jobs of every tool while everything goes wrong, and compares each with the truth. Exit code 1 when any is off.

`--database postgres` runs two servers and a reconciler on a PostgreSQL server of its own, which crashes once too.
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

# So much of the time jobs are started; the rest is for what comes late.
STARTING = 0.7
# Seconds that everything gets to settle at the end: the longest wait of a job that was asked after in vain is
# five minutes.
PATIENCE = 900.0
ROLLS = 20  # how often what is wrong changes

# After how many jobs, under which name (empty: not worth one), what.
type Act = tuple[int, str, Callable[[], None]]


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def soak(site: Site, wish: argparse.Namespace, chance: random.Random) -> list[Line]:
    """Everything from the first job to the table."""
    from soak.forms import FIRST, films, wishes
    from soak.load import Load
    from soak.truth import Line, Truth, settled, told

    wanted = wishes(wish.jobs, chance)
    no_films = [{"kind": "job", "match": slug, "fail": "no_films"} for slug in films()] if wish.light else []
    trouble = Trouble(site, chance, no_films)
    load = Load(site, wanted[len(FIRST) :], wish.seconds * STARTING, site.voice())
    for each in wanted[: len(FIRST)]:
        load.first(each)
    if not settled(site, PATIENCE):
        raise RuntimeError("the first jobs did not end, though nothing was wrong yet")
    load.files = files()

    began = time.monotonic()
    load.start()
    acts = plan(site, len(wanted) - len(FIRST), wish.kills, trouble)
    killed: Counter[str] = Counter()
    while not load.is_over():
        while acts and load.done >= acts[0][0]:
            _, name, act = acts.pop(0)
            act()
            if name:
                say(f"  {load.done} jobs started: {name}")
                killed[name] += 1
        if time.monotonic() - began > wish.seconds + PATIENCE:
            raise RuntimeError(f"after {load.done} jobs nothing goes on; people read {told(load.answers)}")
        time.sleep(0.1)
    load.join()
    trouble.end()
    say(f"  all {wish.jobs} are started after {time.monotonic() - began:.0f} s; waiting for their ends")
    is_settled = settled(site, PATIENCE, hastened=wish.light)
    took = time.monotonic() - began
    truth = Truth(site, {each.key for each in wanted})
    tracebacks = Counter(line.partition(":")[0] for line in site.tracebacks())
    return [
        Line("time", f"{took:.0f} s", [] if is_settled else ["not everything had settled in the end"]),
        Line("what was killed", told(killed)),
        Line("faults that struck", f"{trouble.struck.total()}, of {len(+trouble.struck)} kinds"),
        Line("faults that never struck", ", ".join(trouble.never) or "none"),
        Line("answers to people", told(load.answers)),
        Line("uploads", str(load.uploads)),
        *truth.lines(),
        Line("tracebacks in the logs", told(tracebacks)),
    ]


def plan(site: Site, jobs: int, kills: int, trouble: Trouble) -> list[Act]:
    """What happens, in its order."""
    acts: list[Act] = [(jobs * turn // ROLLS, "", trouble.next) for turn in range(ROLLS)]
    for number in range(kills):
        victim = site.victims[number % len(site.victims)]
        acts.append((jobs * (number + 1) // (kills + 1), f"kill -9 of {victim.name}", partial(kill, victim)))
    if site.cluster is not None:
        acts.append((jobs // 2, "crash of the database", site.restart_database))
    return sorted(acts, key=lambda act: act[0])


def kill(victim: Program) -> None:
    """It is away for a moment."""
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
        help="films fail there, and at the end no job waits for its time: both would take most of it",
    )
    parser.add_argument("--seed", type=int, default=None, help="of what is left to chance")
    parser.add_argument("--keep", type=Path, default=None, help="keep the logs in this folder")
    wanted = parser.parse_args()
    seed = wanted.seed if wanted.seed is not None else random.randrange(1_000_000)
    with ExitStack() as stack:
        folder = wanted.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rushes-soak-")))
        folder.mkdir(parents=True, exist_ok=True)
        cluster = stack.enter_context(Cluster()) if wanted.database == "postgres" else None
        site = Site(folder, cluster)
        os.environ |= site.environment | {
            "DATA_DIR": str(folder / "soak"),
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        }
        say(f"soak on {wanted.database}: {wanted.jobs} jobs, {wanted.kills} kills, seed {seed}")
        stack.enter_context(site)
        import django

        django.setup()
        lines = soak(site, wanted, random.Random(seed))
    print(table(lines))
    return 1 if any(line.wrong for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
