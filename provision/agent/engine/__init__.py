"""The engine of change: compare, apply, compare again; which kind is made true where."""
