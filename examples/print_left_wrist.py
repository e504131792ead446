"""Prints where the left wrist is, live: metres right of, below and in front of the camera."""

import sys

import realtime_vibe

for frame in realtime_vibe.stream(source=sys.argv[1] if len(sys.argv) > 1 else 0):
    for person in frame.people:
        x, y, z = person.joints["left_wrist"]
        print(f"{frame.time_s:9.3f} s  person {person.track_id}  {x:+.2f} {y:+.2f} {z:+.2f} m")
