"""Registries: logins, images, their mirrors."""
