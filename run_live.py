"""Starts the live app from a checkout; the installed command `realtime-vibe` is the same."""

import sys

from realtime_vibe.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
