"""The host itself: commands, files, clocks, the lock and what we remember on it. Imports nothing of ours."""
