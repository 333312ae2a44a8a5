"""The demo: the main job on three throwaway hosts."""
