"""apt and dpkg: sources, keys, packages, holds."""
