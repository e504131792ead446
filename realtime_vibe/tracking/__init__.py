"""Frame to tracked people."""
