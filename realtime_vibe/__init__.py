"""VIBE made live: a webcam in, a moving SMPL body out.

Importing this package loads nothing heavy; start at `realtime_vibe.pipeline`.
"""

__version__ = "0.1.0"
