"""Joint angles of the right arm for a robot: how far it is raised and how far the elbow is bent."""

import sys

import numpy as np

import realtime_vibe


def angle_deg(first: np.ndarray, second: np.ndarray) -> float:
    """Between two directions."""
    cosine = np.dot(first, second) / (np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


with realtime_vibe.stream(source=sys.argv[1] if len(sys.argv) > 1 else 0, smooth=1.0) as frames:
    for frame in frames:
        for person in frame.people[:1]:
            joints = person.joints
            down = joints["pelvis"] - joints["neck"]
            upper = joints["right_elbow"] - joints["right_shoulder"]
            lower = joints["right_wrist"] - joints["right_elbow"]
            raised, bent = angle_deg(down, upper), angle_deg(upper, lower)
            print(f"raised {raised:5.1f}  bent {bent:5.1f} degrees")
