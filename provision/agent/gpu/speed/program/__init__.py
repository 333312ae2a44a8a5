"""The program that measures GPUs: sent only to hosts that are asked for it, and run there in a child of the agent."""

LIBRARIES = {
    "cuda": ("libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1"),
    "nvml": ("libnvidia-ml.so.1", "/usr/local/nvidia/lib64/libnvidia-ml.so.1"),
}
"""Where the driver's libraries are looked for: as the dynamic linker finds them, then where GPU clouds mount them."""
