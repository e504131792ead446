"""What is kept: takes as .npz, .bvh, .glb, .csv, .trc and video."""
