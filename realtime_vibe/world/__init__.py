"""From one person in the camera frame to a calibrated body on the floor."""
