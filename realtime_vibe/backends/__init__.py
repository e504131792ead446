"""Runs exported graphs: named arrays in, named arrays out."""
