"""One run: stages, results, the link to the controller, and what has to wait for others on the host."""
