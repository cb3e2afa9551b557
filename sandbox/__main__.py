"""The command line: ``python -m sandbox --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from sandbox.settings import API_VERSIONS, SUPERSET, Settings

_DESCRIPTION = """\
A local server that implements the VideoGen API v1 and generates simple placeholder media.

It prints "sandbox ready at URL" once it accepts connections. [fail] in a prompt or text
makes the job fail, [fail:some_code] with that error code. Tests inject faults at
/sandbox/faults; sandbox/README.md lists them."""
MAX_UPLOAD_BYTES = 1024**4  # 1 TiB


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
        raise argparse.ArgumentTypeError("must be greater than 0 and less than 1e9")
    return value


def _upload_bytes(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MAX_UPLOAD_BYTES:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MAX_UPLOAD_BYTES}")
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
    add("--port", type=_port, default=8090, help="port to listen on; 0 picks a free one (default 8090)")
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--api-key", action="append", metavar="KEY", help="API key to accept; repeatable (default: sandbox)")
    add(
        "--speed",
        type=_speed,
        default=1.0,
        help="speed factor; 10 makes jobs and webhook retries ten times faster",
    )
    add("--data-dir", type=Path, help="folder for data to keep across restarts (default: a temporary one)")
    add("--concurrency", type=_slots, default=2, help="number of jobs that run in parallel (default 2)")
    add(
        "--api-version",
        choices=(SUPERSET, *API_VERSIONS),
        default=SUPERSET,
        help="API version of the responses (default superset: the fields of all versions)",
    )
    add(
        "--strict-api-version",
        nargs="?",
        const="",
        choices=("", *API_VERSIONS),
        metavar="VERSION",
        help="reject names of other API versions, too; with VERSION, --api-version is not needed",
    )
    add(
        "--url-lifetime",
        type=_positive,
        default=3600.0,
        metavar="SECONDS",
        help="lifetime of signed URLs (default 3600)",
    )
    add(
        "--upload-lifetime",
        type=_positive,
        default=900.0,
        metavar="SECONDS",
        help="lifetime of upload URLs (default 900)",
    )
    add(
        "--largest-upload",
        type=_upload_bytes,
        default=2 * 1024**3,
        metavar="BYTES",
        help="maximum size of an upload (default 2147483648)",
    )
    add(
        "--public-url",
        default="",
        metavar="URL",
        help="base of signed URLs (default: the address it listens on)",
    )
    add("--with-parent", action="store_true", help="stop when the parent process stops")
    return result


def main() -> int:
    arguments = parser().parse_args()
    # Import heavy modules after parsing, so that --help and invalid arguments respond quickly.
    from sandbox.server import BindFailed, bind, serve

    api_version = arguments.strict_api_version or arguments.api_version
    if arguments.strict_api_version == "" and api_version == SUPERSET:
        parser().error("--strict-api-version needs --api-version")
    if arguments.strict_api_version and arguments.api_version not in (SUPERSET, arguments.strict_api_version):
        parser().error("--strict-api-version and --api-version name different API versions")
    try:
        bound = bind(arguments.host, arguments.port)
    except BindFailed as error:
        print(error, file=sys.stderr)
        return 2
    scratch = tempfile.TemporaryDirectory(prefix="sandbox-", ignore_cleanup_errors=True)
    settings = Settings(
        keys=tuple(dict.fromkeys(arguments.api_key or ["sandbox"])),
        data_dir=arguments.data_dir or Path(scratch.name),
        base_url=arguments.public_url.rstrip("/"),
        speed=arguments.speed,
        api_version=api_version,
        strict=arguments.strict_api_version is not None,
        concurrency=arguments.concurrency,
        url_lifetime=arguments.url_lifetime,
        upload_lifetime=arguments.upload_lifetime,
        max_upload_bytes=arguments.largest_upload,
    )
    serve(settings, bound, scratch.cleanup, with_parent=arguments.with_parent)


if __name__ == "__main__":
    sys.exit(main())
