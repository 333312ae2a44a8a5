"""What apt and dpkg say when they fail, as one sentence and what to do. Texts of apt 1.0 to 3.3 under LC_ALL=C.

The law: the words of apt itself go along as output; a text that is not known here is shown as it is, never guessed at.
"""

import re

from ..host import known_errors
from ..host.errors import Failed
from ..host.known_errors import KnownError

LINES = 15
"""Last lines of apt's output that go along."""

KNOWN = (
    KnownError(
        r"No space left on device|You don't have enough free space in (?P<what>\S+?)\.?$",
        "there is no space left on the disk",
        "free space (df -h; apt-get clean), then run again",
    ),
    KnownError(
        r"Read-only file system",
        "the file system is read-only",
        "remount it read-write (mount -o remount,rw) or repair it, then run again",
    ),
    KnownError(
        r"Conflicting values set for option Signed-By regarding source (?P<what>.+?): (?P<more>.+)$",
        "two entries for the source {what} name different keys ({more}), which stops all of apt",
        "remove one of them from /etc/apt/sources.list.d, then run again",
    ),
    KnownError(
        r"(?:Malformed (?:entry|stanza|line)|Syntax error|Type .+ is not known|Unable to parse package file).*",
        "apt cannot read its configuration: {0}",
        "correct that file, then run again",
    ),
    KnownError(
        r"(?:EXPKEYSIG|KEYEXPIRED) (?P<what>[0-9A-F]+)",
        "the key {what} of a package source has expired",
        "give the vendor's renewed key, then run again",
    ),
    KnownError(
        r"NO_PUBKEY (?P<what>[0-9A-F]+)|Missing key (?P<more>[0-9A-F]+)",
        "a package source is signed with the key {what}{more}, which this host does not have for it",
        "give that source its right key and fingerprint, then run again",
    ),
    KnownError(
        r"BADSIG (?P<what>[0-9A-F]+)|Message has been manipulated|signatures? (?:were|was) invalid",
        "the signature of a package source does not fit its contents",
        "find out what its mirror or the proxy does to it before you go on, then run again",
    ),
    KnownError(
        r"[Kk]ey on (?P<what>[0-9A-F]+) is not bound:[\s\S]*?(?P<more>\S+ is not considered secure(?: since \S+)?)",
        "apt does not take the key {what} of a package source: {more}",
        "ask its vendor for a key of today's algorithms and give that with its fingerprint, then run again",
    ),
    KnownError(
        r"[Kk]ey on (?P<what>[0-9A-F]+) is not bound:(?P<more>.*)",
        "apt does not take the key {what} of a package source: {more}",
        "give the vendor's renewed key with its fingerprint, then run again",
    ),
    KnownError(
        r"(?P<what>\S+ is not considered secure(?: since \S+)?)"
        r"|sqv returned an error code \(\d+\), error message is: (?P<more>.*)",
        "apt does not take the signature of a package source: {what}{more}",
        "ask its vendor to sign it with today's algorithms, or give the vendor's renewed key, then run again",
    ),
    KnownError(
        r"Release file for (?P<what>\S+) is (?P<more>not valid yet|expired)",
        "the Release file of {what} is {more}",
        "set the host's clock right, or renew the mirror, then run again",
    ),
    KnownError(
        r"The repository '(?P<what>.+?)' (?:does not have a Release file|is not signed|no longer has a Release file)",
        "the package source '{what}' has no signed Release file",
        "correct its address and suite (or its mirror), then run again",
    ),
    KnownError(
        r"Repository '(?P<what>\S+ \S+)[^']*' changed its '(?P<more>\w+' value from '[^']*' to '[^']*')",
        "the package source {what} changed its '{more}, which apt takes from a person only",
        "see that its vendor meant to, then accept it on the host: apt-get update --allow-releaseinfo-change",
    ),
    KnownError(
        r"Certificate verification failed|certificate verify failed",
        "the certificate of a package source is not trusted on this host",
        "install ca-certificates or the site's own authority on it, then run again",
    ),
    KnownError(
        r"407 +(?P<what>\S.*)",
        "the apt proxy wants a login ({what})",
        "set the proxy's user and password (role apt_proxy), then run again",
    ),
    KnownError(
        r"Temporary failure resolving '(?P<what>[^']+)'|Could not resolve '(?P<more>[^']+)'",
        "the host cannot resolve the name {what}{more} of a package source",
        "give it a name server, an apt proxy (role apt_proxy) or a mirror that it can reach, then run again",
    ),
    KnownError(
        r"(?:Could not connect to|Unable to connect to|Cannot initiate the connection to) (?P<what>[^\s(]+?):? .*"
        r"|Connection (?:failed|timed out).*\[IP: (?P<more>[^\]]+)\]|Network is unreachable",
        "the host cannot reach the package source {what}{more}",
        "open the way to it, set an apt proxy (role apt_proxy) or a mirror that it can reach, then run again",
    ),
    KnownError(
        r"Version '(?P<what>[^']+)' for '(?P<more>[^']+)' was not found",
        "{more} has no version {what} in the sources of this host",
        "ask for one that there is (apt-cache madison {more}), or add the source that has it",
    ),
    KnownError(
        r"Unable to locate package (?P<what>\S+)|Package '(?P<more>[^']+)' has no installation candidate",
        "no source of this host has a package {what}{more}",
        "add the source that has it, or correct the name",
    ),
    KnownError(
        r"Hash Sum mismatch",
        "a mirror or proxy served files that do not belong together (Hash Sum mismatch)",
        "run again once the mirror has finished its update; purge the proxy's cache if it stays so",
    ),
    KnownError(
        r"The following held packages will be changed:\n(?P<what>(?: .*\n)+)(?:.*\n)*?.*Held packages were changed",
        "apt would have to change {what}, which somebody holds",
        "release them (apt-mark unhold {what}) or ask for versions that fit them, then run again",
    ),
    KnownError(
        r"The following packages will be DOWNGRADED:\n(?P<what>(?: .*\n)+)(?:.*\n)*?.*Packages were downgraded",
        "apt would have to downgrade {what}",
        "ask for versions that fit what is installed, or set allow_downgrade: true",
    ),
    KnownError(
        r"The following packages will be REMOVED:\n(?P<what>(?: .*\n)+)(?:.*\n)*?.*remove is disabled",
        "apt would have to remove {what}",
        "remove what is in the way yourself, or ask for versions that fit it, then run again",
    ),
    KnownError(
        r"(?:unmet|Unsatisfied) dependencies[.:]?\n\s*(?P<what>\S.*)",
        "the packages' dependencies cannot be met: {what}",
        "see the lines below; packages held (apt-mark showhold) or pinned on this host are the usual reason",
    ),
    KnownError(
        r"held broken packages|this may be caused by held packages",
        "the packages' dependencies cannot be met, for which packages held on this host are the usual reason",
        "release those that are in the way (apt-mark showhold names them), or ask for versions that fit them",
    ),
    KnownError(
        r"dpkg was interrupted",
        "dpkg was interrupted",
        "run dpkg --configure -a on the host, then run again",
    ),
    KnownError(
        r"dpkg: error processing (?:package|archive) (?P<what>\S+) \([^)]*\):\n (?P<more>.+)",
        "dpkg cannot process {what}: {more}",
        "see the lines below; correct that on the host, then run again",
    ),
    KnownError(
        r"Could not get lock (?P<what>\S+?)\.? ",
        "another program holds the lock {what}",
        "wait for it to end, then run again",
    ),
    KnownError(
        r"404 +Not Found",
        "a package source answers 404 Not Found",
        "correct its address and suite, or run again if its lists were just renewed",
    ),
)


def explain(text: str, otherwise: str, kind: "type[Failed]" = Failed) -> Failed:
    """A Failed (or `kind` of one) for apt's output; `otherwise` is the sentence when it says nothing that we know."""
    output = "\n".join(text.strip().splitlines()[-LINES:])
    known = known_errors.explain(text, KNOWN)
    if known is not None:
        return kind(known.cause, known.fix, output)
    said = re.findall(r"^(?:E: |dpkg: error:? ?)(.+)", text, re.M)
    return kind("{}: {}".format(otherwise, said[0]) if said else otherwise, "", output)
