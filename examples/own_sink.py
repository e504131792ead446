"""Your own sink: writes the place of everybody's head to a CSV file."""

import csv
import sys
from pathlib import Path

import realtime_vibe

source, table = sys.argv[1], Path(sys.argv[2])
try:
    with table.open("w", newline="") as file, realtime_vibe.stream(source, max_people=2) as frames:
        writer = csv.writer(file)
        writer.writerow(["time_s", "person", "x_m", "y_m", "z_m"])
        for frame in frames:
            for person in frame.people:
                writer.writerow([frame.time_s, person.track_id, *person.joints["head"]])
except realtime_vibe.RealtimeVibeError as error:
    sys.exit(f"own_sink: {error}")
