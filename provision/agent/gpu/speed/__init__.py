"""Level 5 of the proof: how fast each GPU is, and whether its results are right."""

PROGRAM = "provision.agent.gpu.speed.program"
PARTS = ("", ".causes", ".figures", ".ptx", ".kernels", ".tensor", ".cuda", ".nvml", ".memory", ".link")
MODULES = tuple(PROGRAM + part for part in PARTS + (".arithmetic", ".peers", ".judge", ".worker", ".main"))
"""The files of the program that measures, in the order in which they need each other."""
