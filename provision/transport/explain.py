"""What the `ssh` program said, as the sentences that the other transport uses.

The law: the text is ssh's own, up to the moment it is logged in; nothing the host's programs print is taken for it,
but for the last words of an ssh that ended with 255.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from provision.errors import ConnectionLost, HostError, Unreachable
from provision.transport import connect, hostkeys
from provision.transport.ssh_config import Resolved


@dataclass(frozen=True)
class SshOutput:
    """What ssh said before it was logged in, and what it had been asked."""

    text: str
    settings: Resolved
    password: bool
    """Whether it had one to give."""
    limit: float
    """Seconds it had."""


Match = re.Match[str]
Sentence = Callable[[Match, SshOutput], Unreachable]
DROPPED = re.compile(
    r"kex_exchange_identification|(Connection closed|Connection reset) by (?!UNKNOWN)|Not allowed at this time"
)
LOST = re.compile(
    r"closed by remote host|client_loop: send disconnect|Timeout, server .* not responding|"
    r"(Connection reset|Connection closed|Connection timed out|Disconnected) (by|from|to) |Read from remote host|"
    r"[Bb]roken pipe|packet_write"
)


def added_key(text: str) -> str:
    """The type of the key that ssh added (ED25519), or ""."""
    match = re.search(r"Permanently added .* \((\S+)\) to the list of known hosts", text)
    return match[1] if match else ""


def failure(said: SshOutput) -> Unreachable | None:
    """Why ssh ended before it was logged in; None: it was dropped, and may try again."""
    found = _known_failure(said)
    if found:
        return found
    if DROPPED.search(said.text) and not said.settings.is_set("proxycommand"):
        return None
    lines = [line.strip() for line in said.text.splitlines() if line.strip()]
    # That the pipe to a proxy has closed is a consequence; the proxy's own words are the cause.
    telling = [line for line in lines if not re.search(r"UNKNOWN port 65535|kex_exchange_identification", line)]
    last = (telling or lines or ["it said nothing"])[-1]
    what = "the ProxyCommand of" if said.settings.is_set("proxycommand") else "ssh to"
    return Unreachable(f"{what} {said.settings.label} ended: {last}", "run it by hand, with ssh -v")


def timed_out(said: SshOutput) -> Unreachable:
    """ssh was not logged in within the limit."""
    known = _known_failure(said)
    if known is None and said.settings.is_set("proxycommand") and not said.text.strip():
        return connect.silent(said.settings, said.limit)
    return known or Unreachable(
        f"{said.settings.label} did not finish the login within {said.limit:g} s",
        "check that the host is up, and look at sshd, PAM and DNS there",
    )


def lost(tail: str, settings: Resolved) -> HostError | None:
    """The sentence for an ssh that ended with 255 after its login; None: it was the command that did."""
    for line in [line.strip() for line in tail.splitlines() if line.strip()][-3:]:
        if LOST.search(line):
            return ConnectionLost(
                f"the connection to {settings.label} was lost ({line})",
                "check the network and sshd's log on the host, then run it again",
            )
    return None


def denied(settings: Resolved, user: str, methods: list[str], password: bool) -> Unreachable:
    """The server took nothing of what ssh had."""
    fix = "check ansible_user, and that its authorized_keys on the host has one of your keys"
    if password:
        fix = "check ansible_user and ansible_password"
    elif methods and "publickey" not in methods:
        fix = "give -k or ansible_password"
    takes = f": it takes {', '.join(methods)}" if methods else ""
    return Unreachable(f"{settings.label} does not let {user} in{takes}", fix)


def _known_failure(said: SshOutput) -> Unreachable | None:
    for pattern, sentence in TABLE:
        if match := re.search(pattern, said.text):
            error = sentence(match, said)
            return _of_jump(error, said) if _is_jump(match, said) else error
    return None


def _is_jump(match: Match, said: SshOutput) -> bool:
    """Does the text speak of a jump host? It names another host, or the pipe to the jump host has closed."""
    settings = said.settings
    if not settings.is_set("proxyjump"):
        return False
    named = match.groupdict().get("host")
    ours = {settings.hostname, settings.label, settings.known_hosts_name}
    return (named is not None and named not in ours) or "UNKNOWN port 65535" in said.text


def _of_jump(error: Unreachable, said: SshOutput) -> Unreachable:
    if error.cause.startswith("jump host"):
        return error
    return Unreachable(f"jump host {said.settings.one('proxyjump')}: {error.cause}", error.fix)


def _behind_jump(match: Match, said: SshOutput) -> Unreachable:
    reason = f" ({match['reason'].strip()})" if match["reason"] else ""
    return Unreachable(
        f"jump host {said.settings.one('proxyjump')} cannot connect to {said.settings.label}{reason}",
        "check the address and port as seen from there, and AllowTcpForwarding",
    )


def _unknown(match: Match, said: SshOutput) -> Unreachable:
    if match["host"] != said.settings.known_hosts_name:
        return hostkeys.unknown_name(match["host"], match["kind"])
    return hostkeys.unknown(said.settings, match["kind"], hostkeys.scan(said.settings, match["kind"]))


def _changed(match: Match, said: SshOutput) -> Unreachable:
    shown = re.search(r"The fingerprint for the (\S+) key sent by the remote host is\s+(\S+?)\.?\s", said.text)
    where = re.search(r"Offending \S+ key in (\S+:\d+)", said.text)
    kind, print_ = (shown[1], shown[2]) if shown else ("host", "")
    return hostkeys.changed(match["host"] or "the host", kind, print_, where[1] if where else "known_hosts:0")


def _denied(match: Match, said: SshOutput) -> Unreachable:
    return denied(said.settings, match["user"], match["methods"].split(","), said.password)


def _too_many(match: Match, said: SshOutput) -> Unreachable:
    return Unreachable(
        f"{said.settings.label} broke off the login as {said.settings.user} after too many keys",
        "set ansible_ssh_private_key_file, and IdentitiesOnly in ssh_config",
    )


def _silent(match: Match, said: SshOutput) -> Unreachable:
    settings = said.settings
    if settings.is_set("proxyjump") and "UNKNOWN port 65535" in said.text:
        jump = settings.one("proxyjump")
        cause = f"jump host {jump} brought no answer of {settings.label} within {said.limit:g} s"
        return Unreachable(cause, "check that the host is up, and its address, port and firewall as seen from there")
    return connect.silent(settings, said.limit)


def _disagreed(match: Match, said: SshOutput) -> Unreachable:
    return Unreachable(
        f"no agreement with sshd on {said.settings.label}: {match['reason'].strip()}",
        "update sshd, or see ssh_config(5)",
    )


CONNECT = r"connect to host (?P<host>\S+) port (?P<port>\d+): "
UNROUTABLE = (
    "No route to host|Network is unreachable|Invalid argument|Cannot assign requested address|Permission denied"
)
TABLE: list[tuple[str, Sentence]] = [
    (
        r"open failed: (?:connect failed|administratively prohibited|unknown channel type): (?P<reason>[^\r\n]*)",
        _behind_jump,
    ),
    (r"stdio forwarding failed(?P<reason>)", _behind_jump),
    (r"REVOKED HOST KEY", lambda match, said: hostkeys.revoked(said.settings, "host", "", "known_hosts")),
    (r"Host key for (?P<host>\S+) has changed", _changed),
    (r"REMOTE HOST IDENTIFICATION HAS CHANGED(?P<unnamed>)(?P<host>)", _changed),
    (r"No (?P<kind>\S+) host key is known for (?P<host>\S+) and", _unknown),
    (r"Host key verification failed", lambda match, said: hostkeys.unknown(said.settings, "", "")),
    (
        r"Could not resolve hostname (?P<host>\S+?):? (?P<reason>[^\r\n]+)",
        lambda match, said: connect.unknown_name(match["host"], match["reason"].strip()),
    ),
    (CONNECT + "Connection refused", lambda match, said: connect.refused(f"{match['host']} port {match['port']}")),
    (
        CONNECT + f"(?P<reason>{UNROUTABLE})",
        lambda match, said: connect.no_route(f"{match['host']} port {match['port']}", match["reason"]),
    ),
    (
        CONNECT + "(?:Connection|Operation) timed out",
        lambda match, said: connect.no_answer(f"{match['host']} port {match['port']}", said.limit),
    ),
    (r"timed out during banner exchange|Connection to (?P<host>\S+) port \d+ timed out", _silent),
    (r"(?P<user>\S+)@\S+: Permission denied \((?P<methods>[^)]*)\)", _denied),
    (r"Too many authentication failures", _too_many),
    (r"Unable to negotiate with [^\r\n]*?: (?P<reason>[^\r\n]+)", _disagreed),
]
