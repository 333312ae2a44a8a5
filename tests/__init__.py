"""Tests: unit/ (no host), agent/ (on each Python), e2e/ (on real lab hosts), lab/ (the hosts)."""
