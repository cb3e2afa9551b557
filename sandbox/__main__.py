"""The command line: ``python -m sandbox --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from sandbox.settings import ERAS, SUPERSET, Settings

_DESCRIPTION = """\
A local server that speaks the VideoGen API v1 and makes real, stand-in media.

It prints "sandbox ready at URL" once it accepts connections. A prompt or text that
contains [fail] lets its job fail, [fail:some_code] with that error code. Tests order
faults at /sandbox/faults; sandbox/README.md lists them."""


def _speed(text: str) -> float:
    value = float(text)
    if not 0.01 <= value <= 1000:
        raise argparse.ArgumentTypeError("must be from 0.01 to 1000")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def _slots(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 64:
        raise argparse.ArgumentTypeError("must be from 1 to 64")
    return value


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m sandbox",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--port", type=_port, default=8090, help="0 lets the system choose one (default 8090)")
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--api-key", action="append", metavar="KEY", help="a key to accept; repeatable (default: sandbox)")
    add("--speed", type=_speed, default=1.0, help="10 makes jobs and webhook retries ten times faster")
    add("--data-dir", type=Path, help="folder that survives a restart (default: a temporary one)")
    add("--concurrency", type=_slots, default=2, help="jobs that run at once (default 2)")
    add("--era", choices=(SUPERSET, *ERAS), default=SUPERSET, help="shape of answers (default superset)")
    add(
        "--strict-era",
        nargs="?",
        const="",
        choices=("", *ERAS),
        metavar="ERA",
        help="refuse what the chosen era does not know; --strict-era 1.1 means --era 1.1 --strict-era",
    )
    add(
        "--url-lifetime",
        type=_positive,
        default=3600.0,
        metavar="SECONDS",
        help="of signed URLs (default 3600)",
    )
    add(
        "--upload-lifetime",
        type=_positive,
        default=900.0,
        metavar="SECONDS",
        help="of upload URLs (default 900)",
    )
    add(
        "--largest-upload",
        type=_positive,
        default=2 * 1024**3,
        metavar="BYTES",
        help="more are refused (default 2147483648)",
    )
    add("--public-url", default="", metavar="URL", help="base of signed URLs, if not the address listened on")
    add("--with-parent", action="store_true", help="end when the process that started this one ends")
    return result


def main() -> int:
    arguments = parser().parse_args()
    # Heavy imports after the arguments, so that a mistake or --help is answered at once.
    from sandbox.server import PortTaken, listen, serve

    era = arguments.strict_era or arguments.era
    if arguments.strict_era == "" and era == SUPERSET:
        parser().error("--strict-era needs --era")
    if arguments.strict_era and arguments.era not in (SUPERSET, arguments.strict_era):
        parser().error("--strict-era and --era name different eras")
    try:
        bound = listen(arguments.host, arguments.port)
    except PortTaken as problem:
        print(problem, file=sys.stderr)
        return 2
    scratch = tempfile.TemporaryDirectory(prefix="sandbox-", ignore_cleanup_errors=True)
    settings = Settings(
        keys=tuple(dict.fromkeys(arguments.api_key or ["sandbox"])),
        data_dir=arguments.data_dir or Path(scratch.name),
        base_url=arguments.public_url.rstrip("/"),
        speed=arguments.speed,
        era=era,
        strict_era=arguments.strict_era is not None,
        concurrency=arguments.concurrency,
        url_lifetime=arguments.url_lifetime,
        upload_lifetime=arguments.upload_lifetime,
        largest_upload=int(arguments.largest_upload),
    )
    serve(settings, bound, scratch.cleanup, with_parent=arguments.with_parent)


if __name__ == "__main__":
    sys.exit(main())
