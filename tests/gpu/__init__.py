"""Stand-ins for NVIDIA's libraries, and the rehearsal of the run on a real GPU machine."""
