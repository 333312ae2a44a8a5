"""Users, groups and memberships."""
