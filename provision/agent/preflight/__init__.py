"""Questions asked before the first change: what could go wrong."""
