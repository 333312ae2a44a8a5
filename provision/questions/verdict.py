"""Who owns an option of the Docker daemon on one host, in one sentence.

The law: pure; it says what was found and concludes nothing beyond it. What is not ours is said to be not ours.
"""

from collections.abc import Collection

from provision.questions.option import AskedOption, OptionEntry, Stands, Why

OURS = ("50-provision.conf", "zz-provision.conf")
"""Our drop-ins: they carry on the unit's own command line."""


def verdict(entry: OptionEntry, host: Why, asked: AskedOption | None, roles: Collection[str], known: bool) -> str:
    """The sentence. `roles`: those that the host has; `known`: the option is one that Docker is known to have."""
    key = ".".join(entry.path)
    if host.problem:
        return f"{key}: nobody can tell, for {host.problem}"
    if asked is not None:
        return f"{key} is set by {asked}, {_as_asked(entry, host)}"
    if entry.record is not None:
        return f"{key} {_left(entry, host, roles)}"
    if entry.in_file:
        return f"{key} is in {host.config}{_live(entry, host)}. It is not ours: {_somebody(entry)} put it there"
    if entry.elsewhere:
        return f"{key} comes from {' and '.join(map(_file, entry.elsewhere))}" + _of_flag(entry, host)
    return f"{key} is set nowhere" + _by_default(entry, known)


def _by_default(entry: OptionEntry, known: bool) -> str:
    if entry.live is not None and entry.path == ("bip",):  # it outlives the option, docker0 and a restart
        return f": docker0 has {entry.live}, Docker's own choice or what it remembers of an earlier bip"
    if entry.live is not None:
        return f": Docker's default holds, which is {entry.live}"
    return ": Docker's default holds" if known else ", and we know of no such option"


def _as_asked(entry: OptionEntry, host: Why) -> str:
    if entry.in_file:
        return f"stands in {host.config} {_written(entry)}" + _live(entry, host)
    if entry.elsewhere:
        return f"stands in {' and '.join(map(_file, entry.elsewhere))}" + _of_flag(entry, host)
    gone = f", where {entry.record.role} of ours had written it" if entry.record else ""
    return f"and is not in {host.config}{gone}: the next apply writes it"


def _written(entry: OptionEntry) -> str:
    if entry.record is None:
        return "but was not written by us: the next apply takes it over"
    return "as we wrote it" if entry.record.unchanged else "and was changed by somebody else since our last run"


def _left(entry: OptionEntry, host: Why, roles: Collection[str]) -> str:
    """We wrote it once, and nobody asks for it now."""
    assert entry.record is not None
    role = entry.record.role or "another owner of its flag"
    if not entry.in_file:
        return f"was written by role {role} of ours, and somebody else has removed it"
    changed = "" if entry.record.unchanged else " (and changed by somebody else since)"
    next_run = f"the next run of {role} removes it" if role in roles else f"{role} is not a role of this host any more"
    written = f"was written to {host.config} by role {role} of ours{changed}{_live(entry, host)}"
    return f"{written}. Nobody asks for it any more: {next_run}"


def _somebody(entry: OptionEntry) -> str:
    of_nvidia = entry.path in {("runtimes", "nvidia"), ("default-runtime",), ("features", "cdi")}
    return "nvidia-ctk or an administrator" if of_nvidia else "an administrator or another tool"


def _file(found: Stands) -> str:
    name = found.file.rpartition("/")[2]
    if found.role:
        return f"{found.file}, written for role {found.role} of ours"
    if name in OURS:
        return f"our drop-in {found.file}, which carries on the unit's own command line"
    what = "the flag in " if found.value and not found.value.startswith("****") else ""
    return f"{what}{found.file}" + (f" (package {found.package})" if found.package else "")


def _live(entry: OptionEntry, host: Why) -> str:
    if not host.running:
        return "; Docker does not run"
    if entry.agrees is None and entry.started_with:
        return "; Docker does not tell whether it is live, but was started with this file"
    if entry.agrees is None:
        return "; Docker does not tell whether it is live"
    if entry.agrees:
        return ", and is live"
    there = f"has {entry.live}" if entry.live is not None else "has another value"
    return f"; the running daemon {there}: it was not restarted since, or something wins over the file"


def _of_flag(entry: OptionEntry, host: Why) -> str:
    if not host.running:
        return "; Docker does not run"
    return ", and is live" if entry.process else "; the running daemon was started without it"
