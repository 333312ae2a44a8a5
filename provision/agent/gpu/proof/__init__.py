"""The proof that containers get their GPUs, level by level."""
