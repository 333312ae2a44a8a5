"""The kernel: its settings, its modules, what is mounted."""
