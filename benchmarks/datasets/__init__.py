"""Data sets of others that engines are scored on, read in the layouts in which their owners give them out."""
