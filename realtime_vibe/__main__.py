"""The command `realtime-vibe`, which is the same as `python -m realtime_vibe`."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Ctrl-C ends the half-loaded program at once, without a trace of what was being imported.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from realtime_vibe.cli.main import program

__all__ = ["program"]

if __name__ == "__main__":
    program()
