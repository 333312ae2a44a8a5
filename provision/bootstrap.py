"""Stage 0: a python3 for a host that has none, through plain sh and apt.

Debian's minimal images have no python3, or python3-minimal, which lacks `json` and more. The script goes in on stdin,
and so does apt's configuration where a proxy is to be used: its password is never in an argv.
"""

import re
import secrets as random
from collections.abc import Callable, Iterable

from provision import as_root
from provision.as_root import READY
from provision.errors import HostTimeout, Refused
from provision.secrets import Secret
from provision.target import Target
from provision.transport import Connection

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
until quiet apt-get -q=1 -c "$d/apt.conf" update; do
  n=$((n+1))
  if [ $n -ge 30 ] || ! tail -n 3 "$d/log" | grep -q 'Could not get lock'; then told; exit 1; fi
  sleep 10
done
quiet dpkg --configure -a
if quiet apt-get -y -q=1 -c "$d/apt.conf" --no-install-recommends --no-remove \\
    -o DPkg::Lock::Timeout=300 install python3; then
  echo '{done}'
else
  told; exit 1
fi
"""
_SCRIPT_OFFLINE = """\
trap '' HUP PIPE
umask 077
if ! command -v apt-get >/dev/null 2>&1; then echo 'there is no apt-get on this host'; exit 1; fi
d=$(mktemp -d /var/tmp/provision.XXXXXX) || exit 1
trap 'rm -rf "$d"' EXIT
ID= VERSION_ID= VERSION_CODENAME=
. /etc/os-release
echo "{asks} $ID:$VERSION_ID:$VERSION_CODENAME:$(dpkg --print-architecture):"
tar -xf - -C "$d" || {{ echo 'the packages of the bundle did not come whole'; exit 1; }}
keys=$(grep -rhoiE 'signed-by[=:] *[^] ]+' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
  sed 's/^[^=:]*[=:] *//' | tr ',' '\\n' | grep '^/')
for k in $keys /etc/apt/trusted.gpg.d/*.gpg /etc/apt/trusted.gpg.d/*.asc /usr/share/keyrings/*-archive-keyring.gpg; do
  [ -e "$k" ] && by="${{by:+$by,}}$k"
done
while read -r n rest; do echo "deb ${{by:+[signed-by=$by]}} copy:$d/$n $rest"; done < "$d/sources" > "$d/sources.list"
mkdir -p "$d/lists/partial"
cat > "$d/apt.conf" <<X
#clear APT::Update;
Dir::Etc::sourcelist "$d/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$d/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
X
LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
export LC_ALL DEBIAN_FRONTEND NEEDRESTART_SUSPEND
quiet() {{ "$@" >>"$d/log" 2>&1 </dev/null; }}
told() {{ grep -E '^(E:|W: |dpkg:)' -A1 "$d/log" | tail -n 12; }}
quiet apt-get -q=1 -c "$d/apt.conf" update || {{ told; exit 1; }}
quiet dpkg --configure -a
if quiet apt-get -y -q=1 -c "$d/apt.conf" --no-install-recommends --no-remove \\
    -o DPkg::Lock::Timeout=300 install python3; then
  echo '{done}'
else
  told; exit 1
fi
"""
"""The host says what it is and gets a tar with a partial mirror for that, which its own apt verifies."""
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


def install_python_offline(
    connection: Connection, target: Target, mirror: Callable[[str, str, str, str], Iterable[bytes]]
) -> None:
    """The same on a host without a network. Raises Refused with apt's own last words, or HostTimeout.

    `mirror`: from ID, VERSION_ID, VERSION_CODENAME and architecture of the host to a tar of repositories: a file
    `sources` with a line for each (its folder, suite, components), and the folders.
    """
    asks = f"provision-bootstrap-{random.token_hex(8)}"
    script = _SCRIPT_OFFLINE.format(asks=asks, done=DONE).encode()

    def more(output: str) -> Iterable[bytes] | None:
        match = re.search(rf"{asks} ([^:]*):([^:]*):([^:]*):([^:]*):", output)
        return mirror(*match.groups()) if match else None

    # Read to the byte: a shell that reads its script from standard input may take some of what follows.
    start = f's=$(head -c {len(script)}); exec sh -c "$s"'
    output = _conversation(connection, target, script, start, more)
    if DONE not in output:
        raise _explained(re.sub(rf"{READY}|{asks}[^\n]*", "", output))


def _explained(output: str) -> Refused:
    what = "python3 could not be installed"
    for pattern, cause, fix in _KNOWN:
        if match := re.search(pattern, output):
            return Refused(f"{what}: {cause.format(**match.groupdict())}", f"{fix}, then run again")
    last = " ".join(output.split())[-300:]
    return Refused(f"{what}: {last or 'no output'}", "install python3 on the host by hand")


def _conversation(
    connection: Connection,
    target: Target,
    script: bytes,
    start: str = "exec sh -s",
    more: Callable[[str], Iterable[bytes] | None] | None = None,
) -> str:
    """The end of what a script prints that runs as root."""
    output = b""
    try:
        for data in as_root.run(connection, target, script, TIMEOUT, start, more):
            output = (output + data)[-as_root.TAIL :]
    except HostTimeout:
        raise HostTimeout("installing python3 took longer than half an hour", "look at apt on the host") from None
    return output.decode("utf-8", "replace")
