"""systemd: its units, their files, and what a process was started with."""
