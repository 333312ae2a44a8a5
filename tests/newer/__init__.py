"""The next release of Debian, which is not released yet: a stage of its own, never in CI's pass or fail."""
