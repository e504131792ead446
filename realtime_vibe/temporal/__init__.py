"""Features and carried state to SMPL parameters, then smoothing."""
