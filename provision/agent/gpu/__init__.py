"""NVIDIA's driver, NVML and CDI."""
