"""Pure NumPy functions: boxes, crops, rotations, cameras."""
