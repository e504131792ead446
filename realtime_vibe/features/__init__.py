"""Tracked people to one feature vector each."""
