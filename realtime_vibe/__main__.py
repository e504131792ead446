"""Makes `python -m realtime_vibe` the same as the command `realtime-vibe`."""

import sys

from realtime_vibe.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
