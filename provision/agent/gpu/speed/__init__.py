"""Level 5 of the proof: how fast each GPU is, and whether its results are right."""

RECEIPT = "proofs/gpu-speed.json"
"""What is kept of the last one, in the state directory."""
