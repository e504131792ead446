"""Starts the live app from a checkout; the installed command `realtime-vibe` is the same."""

from realtime_vibe.__main__ import program

if __name__ == "__main__":
    program()
