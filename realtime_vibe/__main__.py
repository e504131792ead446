"""Makes `python -m realtime_vibe` the same as the command `realtime-vibe`."""

from realtime_vibe.cli.main import program

if __name__ == "__main__":
    program()
