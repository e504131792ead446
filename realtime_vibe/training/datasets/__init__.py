"""Motion and video datasets, read in the layouts in which their owners give them out."""
