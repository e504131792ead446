"""SMPL parameters to a mesh and joints, in NumPy."""
