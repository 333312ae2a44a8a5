"""From a bare operating system to proven GPU containers, over SSH."""

__version__ = "0.1.0"
