"""Measures latency, accuracy and rivals on the machine at hand."""
