"""Makes `python -m realtime_vibe.training.render` write shards."""

import sys

from realtime_vibe.training.render.render import main

if __name__ == "__main__":
    sys.exit(main())
