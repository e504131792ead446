"""A live run: its settings, threads, outputs, takes and calibration, and the library API."""
