"""A bundle: a folder with all that hosts without a network install from, made where there is one.

It is a partial mirror: packages, the repositories' signed indices and keys as their vendors publish them, container
images as their registry has them, and a manifest of it all. Nobody has to trust who made it: a host verifies each index
with the vendor's key and each package with the index.
"""
