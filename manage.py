#!/usr/bin/env python
"""Rushes' command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    if sys.argv[1:2] == ["serve"]:
        # The server's event loop has to be installed before anything else asks for one.
        import daphne.server  # noqa: F401
    from django.core.management import execute_from_command_line

    from dashboard.config.environment import SettingsError

    try:
        execute_from_command_line(sys.argv)
    except SettingsError as error:
        sys.exit(f"Rushes cannot start: {error}")


if __name__ == "__main__":
    main()
