"""Results out: windows, overlays, recordings, statistics."""
