"""Level 5 of the proof: how fast each GPU is, and whether its results are right."""
