"""What a change would do to others on the host: `none`, or a `reload` or `restart` of Docker, and why."""

NONE, RELOAD, RESTART = ("none", "reload", "restart")


def impact(level, why, systemd=False, survive=False):
    """What a change would do to others, before anybody has looked who they are."""
    return {
        "level": level,
        "why": sorted(why),
        "systemd": systemd,
        "survive": survive,
        "containers": [],
        "processes": [],
        "effect": "",
    }
