"""The figures that are measured: what each tells of, and its name for people, in the order in which they are shown."""

GROUPS = {
    "memcpy_dtod": "memory",
    "write": "memory",
    "read": "memory",
    "fma32": "arithmetic",
    "fma64": "arithmetic",
    "mma": "arithmetic",
    "wgmma": "arithmetic",
    "sustained": "sustained",
    "htod": "link",
    "dtoh": "link",
    "peer": "peer",
}
"""What is measured anew when a figure is low."""
WORDS = {
    "memcpy_dtod": "memory copy",
    "write": "memory write",
    "read": "memory read",
    "fma32": "FP32",
    "fma64": "FP64",
    "mma": "tensor cores (mma)",
    "wgmma": "tensor cores (wgmma)",
    "sustained": "tensor cores, sustained",
    "htod": "PCIe host to device",
    "dtoh": "PCIe device to host",
    "peer": "GPU to GPU",
}
