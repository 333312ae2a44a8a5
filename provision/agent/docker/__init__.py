"""The Docker daemon: its socket, configuration, containers and service."""
