"""What the `ssh` program said, as the sentences that the other transport uses.

The law: the text is ssh's own, up to the moment it is logged in; nothing the host's programs print is taken for it,
but for the last words of an ssh that ended with 255.
"""

import re
from collections.abc import Callable

from provision.errors import ConnectionLost, HostError, Unreachable
from provision.transport import dial, hostkeys
from provision.transport.known_hosts import fingerprint, short_kind
from provision.transport.ssh_config import Resolved

__all__ = ["added_key", "failure", "fingerprint", "lost", "same_kind", "timed_out"]

Sentence = Callable[["re.Match[str]", Resolved, str], Unreachable]
DROPPED = re.compile(
    r"kex_exchange_identification|(Connection closed|Connection reset) by (?!UNKNOWN)|Not allowed at this time"
)
LOST = re.compile(
    r"closed by remote host|client_loop: send disconnect|Timeout, server .* not responding|"
    r"(Connection reset|Connection closed|Connection timed out|Disconnected) (by|from|to) |Read from remote host|"
    r"[Bb]roken pipe|packet_write"
)


def added_key(said: str) -> str:
    """The type of the key that ssh added (ED25519), or ""."""
    match = re.search(r"Permanently added .* \((\S+)\) to the list of known hosts", said)
    return match[1] if match else ""


def same_kind(kind: str, short: str) -> bool:
    return short_kind(kind) == short


def failure(said: str, settings: Resolved, status: int | None) -> HostError | None:
    """Why ssh ended before it was logged in; None: it was dropped, and may try again."""
    through = settings.is_set("proxyjump")
    for pattern, sentence in TABLE:
        if match := re.search(pattern, said):
            error = sentence(match, settings, said)
            return _of_jump(error, settings) if through and _is_jump(match, settings, said) else error
    if DROPPED.search(said) and not settings.is_set("proxycommand"):
        return None
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "")
    return Unreachable(
        f"ssh to {settings.label} ended with status {status}: {last or 'it said nothing'}", "run ssh -v by hand"
    )


def lost(tail: str, settings: Resolved) -> HostError | None:
    """The sentence for an ssh that ended with 255 after its login; None: it was the command that did."""
    lines = [line.strip() for line in tail.splitlines() if line.strip()][-3:]
    for line in lines:
        if LOST.search(line):
            return ConnectionLost(
                f"the connection to {settings.label} was lost ({line})",
                "check the network and sshd's log on the host, then run it again",
            )
    return None


def timed_out(said: str, settings: Resolved, seconds: float) -> HostError:
    error = failure(said, settings, None) if said.strip() and any(re.search(p, said) for p, _ in TABLE) else None
    return error or Unreachable(
        f"{settings.label} did not finish the login within {seconds:.0f} s",
        "check that the host is up, and look at sshd, PAM and DNS there",
    )


def _is_jump(match: "re.Match[str]", settings: Resolved, said: str) -> bool:
    """Behind a jump host, the host's own words come last, and never about a TCP connection of ours."""
    named = match.groupdict().get("host")
    return (named is not None and named != settings.hostname) or "UNKNOWN port 65535" in said


def _of_jump(error: Unreachable, settings: Resolved) -> Unreachable:
    if error.cause.startswith("jump host"):
        return error
    return Unreachable(f"jump host {settings.one('proxyjump')}: {error.cause}", error.fix)


def _changed(match: "re.Match[str]", settings: Resolved, said: str) -> Unreachable:
    print_ = re.search(r"The fingerprint for the (\S+) key sent by the remote host is\s+(\S+?)\.?\s", said)
    kind, shown = (print_[1], print_[2]) if print_ else ("host", "")
    where = re.search(r"Offending \S+ key in (\S+:\d+)", said)
    return hostkeys.changed(settings, kind, shown, where[1] if where else "known_hosts:0")


def _denied(match: "re.Match[str]", settings: Resolved, said: str) -> Unreachable:
    fix = "check ansible_user, and that its authorized_keys on the host has one of your keys"
    if "password" in match["methods"] and "publickey" not in match["methods"]:
        fix = "check ansible_user and ansible_password"
    return Unreachable(
        f"{match['place']} does not let {match['user']} in: it takes {', '.join(match['methods'].split(','))}", fix
    )


def _no_route(match: "re.Match[str]", settings: Resolved, said: str) -> Unreachable:
    return dial.no_route(f"{match['host']} port {match['port']}", match["reason"])


TABLE: list[tuple[str, Sentence]] = [
    (
        r"stdio forwarding failed|open failed: (?:connect failed|administratively prohibited): (?P<reason>[^\r\n]*)",
        lambda match, settings, said: Unreachable(
            f"jump host {settings.one('proxyjump')} cannot connect to {settings.label}"
            + (f" ({match['reason'].strip()})" if match["reason"] else ""),
            "check the address and port as seen from there, and AllowTcpForwarding",
        ),
    ),
    (
        r"REVOKED HOST KEY",
        lambda match, settings, said: hostkeys.revoked(settings, "host", "", "known_hosts"),
    ),
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED|differs from the key for", _changed),
    (
        r"No (?P<kind>\S+) host key is known for (?P<host>\S+) and",
        lambda match, settings, said: hostkeys.unknown(settings, match["kind"], hostkeys.scan(settings, match["kind"])),
    ),
    (
        r"Host key verification failed",
        lambda match, settings, said: hostkeys.unknown(settings, "", ""),
    ),
    (
        r"Could not resolve hostname (?P<host>\S+?):? (?P<reason>[^\r\n]+)",
        lambda match, settings, said: dial.unknown_name(match["host"], match["reason"].strip()),
    ),
    (
        r"connect to host (?P<host>\S+) port (?P<port>\d+): Connection refused",
        lambda match, settings, said: dial.refused(f"{match['host']} port {match['port']}"),
    ),
    (
        r"connect to host (?P<host>\S+) port (?P<port>\d+): "
        r"(?P<reason>No route to host|Network is unreachable|Invalid argument|Cannot assign requested address)",
        _no_route,
    ),
    (
        r"connect to host (?P<host>\S+) port (?P<port>\d+): (?:Connection|Operation) timed out",
        lambda match, settings, said: dial.no_answer(
            f"{match['host']} port {match['port']}", settings.connect_timeout or 10.0
        ),
    ),
    (
        r"timed out during banner exchange|Connection to (?P<host>\S+) port \d+ timed out",
        lambda match, settings, said: Unreachable(
            f"{settings.label} took the connection but sshd did not answer in time",
            "check that it is sshd that listens there and that the host is not overloaded",
        ),
    ),
    (r"(?P<user>\S+)@(?P<place>\S+): Permission denied \((?P<methods>[^)]*)\)", _denied),
    (
        r"Too many authentication failures",
        lambda match, settings, said: Unreachable(
            f"{settings.label} broke off the login as {settings.user} after too many keys",
            "set ansible_ssh_private_key_file, and IdentitiesOnly in ssh_config",
        ),
    ),
    (
        r"Unable to negotiate with [^\r\n]*?: (?P<reason>[^\r\n]+)",
        lambda match, settings, said: Unreachable(
            f"no agreement with sshd on {settings.label}: {match['reason'].strip()}",
            "update sshd, or see ssh_config(5)",
        ),
    ),
]
