"""Frames in: cameras, files, folders, streams and a synthetic figure."""
