"""Stage 0: a python3 for a host that has none, through plain sh and apt.

Debian's minimal images have no python3, or python3-minimal, which lacks `json` and more. The script goes in on stdin,
and so does apt's configuration where a proxy is to be used: its password is never in an argv.
"""

import re
import secrets as random
import time

from provision.errors import HostTimeout, Refused
from provision.secrets import Secret
from provision.target import Target
from provision.transport import Channel, Connection

READY = "provision-bootstrap-ready"
DONE = "provision-bootstrap-done"
TIMEOUT = 1800.0
"""Seconds, apt's locks included."""

_SCRIPT = """\
trap '' HUP PIPE
umask 077
if ! command -v apt-get >/dev/null 2>&1; then echo 'there is no apt-get on this host'; exit 1; fi
d=$(mktemp -d /run/provision.XXXXXX) || exit 1
trap 'rm -rf "$d"' EXIT
cat > "$d/apt.conf" <<'{end}'
Acquire::Retries "2";
Acquire::Retries::Delay "false";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
{configuration}
{end}
LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
export LC_ALL DEBIAN_FRONTEND NEEDRESTART_SUSPEND
quiet() {{ "$@" >>"$d/log" 2>&1 </dev/null; }}
told() {{ grep -E '^(E:|Err:|W: Failed|dpkg:)' -A1 "$d/log" | tail -n 12; }}
n=0
until quiet apt-get -q -c "$d/apt.conf" update; do
  n=$((n+1))
  if [ $n -ge 30 ] || ! tail -n 3 "$d/log" | grep -q 'Could not get lock'; then told; exit 1; fi
  sleep 10
done
quiet dpkg --configure -a
if quiet apt-get -y -q -c "$d/apt.conf" --no-install-recommends --no-remove \\
    -o DPkg::Lock::Timeout=300 install python3; then
  echo '{done}'
else
  told; exit 1
fi
"""
_KNOWN = (
    (
        r"407 ",
        "the apt proxy wants another login (407)",
        "correct the proxy's username and password (role apt_proxy)",
    ),
    (
        r"resolv(?:e|ing) '(?P<what>[^']+)'",
        "the host cannot resolve the name {what} of a package source",
        "give it a name server, an apt proxy (role apt_proxy) or a mirror that it can reach",
    ),
    (
        r"(?:Could not connect to|Unable to connect to|Cannot initiate the connection to) (?P<what>[^\s(]+?):?\s",
        "the host cannot connect to {what} for its package sources",
        "open the way to it, set an apt proxy (role apt_proxy) or a mirror that it can reach",
    ),
    (r"No space left on device|enough free space", "there is no space left on the disk", "free space (df -h)"),
    (r"Read-only file system", "the file system is read-only", "remount it read-write (mount -o remount,rw)"),
    (r"Could not get lock (?P<what>\S+?)\.? ", "another program holds {what}", "wait for it to end"),
)
"""Words of apt, what they mean, and what to do; the first that is found counts. The agent has more of them."""


def install_python(connection: Connection, target: Target, apt_configuration: Secret | None = None) -> None:
    """Install python3 on a Debian or Ubuntu host. Raises Refused with apt's own last words, or HostTimeout.

    `apt_configuration`: lines in apt.conf's syntax that win over the host's own (a proxy): hence `-c`, which apt
    reads last, and not APT_CONFIG, which it reads first.
    """
    end = f"provision-{random.token_hex(8)}"
    configuration = apt_configuration.reveal() if apt_configuration else ""
    script = _SCRIPT.format(end=end, configuration=configuration, done=DONE)
    output = _conversation(connection, target, script.encode())
    if DONE not in output:
        raise _explained(output.replace(READY, ""))


def _explained(output: str) -> Refused:
    what = "python3 could not be installed"
    for pattern, cause, fix in _KNOWN:
        if match := re.search(pattern, output):
            return Refused(f"{what}: {cause.format(**match.groupdict())}", f"{fix}, then run again")
    last = " ".join(output.split())[-300:]
    return Refused(f"{what}: {last or 'no output'}", "install python3 on the host by hand")


def _conversation(connection: Connection, target: Target, script: bytes) -> str:
    """Run `script` as root; return what it printed. Password and script are sent when they are asked for (law 10)."""
    prompt = f"provision-sudo-{random.token_hex(8)}:"
    shell = f"sh -c 'echo {READY}; exec sh -s'"
    if target.become:
        shell = f"sudo -S -p {prompt} -- {shell}" if target.become_password else f"sudo -n -- {shell}"
    channel = connection.open(shell)
    output, deadline, answered, sent = b"", time.monotonic() + TIMEOUT, False, False
    try:
        while data := _receive(channel, deadline):
            output = (output + data)[-65536:]
            if prompt.encode() in output and not answered and target.become_password is not None:
                channel.send(target.become_password.reveal().encode() + b"\n")
                answered = True
            if READY.encode() in output and not sent:
                channel.send(script)
                channel.close_input()
                sent = True
    finally:
        channel.close()
    return output.decode("utf-8", "replace")


def _receive(channel: Channel, deadline: float) -> bytes:
    try:
        return channel.receive(max(0.01, deadline - time.monotonic()))
    except TimeoutError:
        raise HostTimeout("installing python3 took longer than half an hour", "look at apt on the host") from None
