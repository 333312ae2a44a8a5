"""What the host is, for hello."""
