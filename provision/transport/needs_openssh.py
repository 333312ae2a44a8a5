"""What paramiko cannot do, and so which hosts go through the `ssh` program by themselves.

The law: only what `ssh -G` and known_hosts show for certain counts; a host that could go either way goes through
paramiko.
"""

import os
from pathlib import Path

from provision.transport.known_hosts import HostKeyLines
from provision.transport.ssh_config import Resolved

KEX = ("mlkem768x25519-", "curve25519-", "ecdh-sha2-", "diffie-hellman-group")
CIPHERS = ("aes",)
MACS = ("hmac-sha2-", "hmac-sha1", "hmac-md5")
OPTIONS = {
    "pkcs11provider": "keys on a smart card (PKCS11Provider)",
    "revokedhostkeys": "RevokedHostKeys",
    "knownhostscommand": "KnownHostsCommand",
    "bindinterface": "BindInterface",
    "proxyusefdpass": "ProxyUseFdpass",
}


def why_openssh(settings: Resolved, known: HostKeyLines, password: bool) -> str:
    """What it is that only the `ssh` program can do for this host; "" where paramiko will do."""
    for option, reason in OPTIONS.items():
        if settings.is_set(option):
            return reason
    if known.authorities and not known.plain:
        return "a host certificate (@cert-authority in known_hosts)"
    preferred = settings.words("preferredauthentications")
    if preferred and preferred[0].startswith(("gssapi", "hostbased")):
        return f"PreferredAuthentications {preferred[0]}"
    if settings.is_set("gssapiauthentication") and not settings.is_set("pubkeyauthentication") and not password:
        return "GSSAPIAuthentication without public keys"
    for option, usable in (("kexalgorithms", KEX), ("ciphers", CIPHERS), ("macs", MACS)):
        names = settings.words(option)
        if names and not any(name.startswith(usable) for name in names):
            return f"the {option} of ssh_config"
    return "" if password else _only_fido_keys(settings)


def _only_fido_keys(settings: Resolved) -> str:
    files = [path for path in settings.files("identityfile") if os.path.isfile(path)]
    if files and all(_is_fido(path) for path in files):
        return "a FIDO key, the only one there is"
    return ""


def _is_fido(path: str) -> bool:
    try:
        return Path(f"{path}.pub").read_text(errors="replace").startswith("sk-")
    except OSError:
        return os.path.basename(path).endswith("_sk")
