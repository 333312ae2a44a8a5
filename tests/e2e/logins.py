"""Logins of every shell and every way with sudo, as hosts of one inventory: who gets in, and what others are told."""

import json
from collections.abc import Iterator
from typing import Any

from tests.e2e.runner import Ended, Lab, Provision
from tests.lab.host import LabHost

PACKAGES = ("busybox", "fish", "sudo-rs", "tcsh", "zsh")
SHELLS = {
    "bash": "/bin/bash",
    "dash": "/bin/dash",
    "ash": "/usr/local/bin/ash",
    "rbash": "/bin/rbash",
    "zsh": "/usr/bin/zsh",
    "csh": "/bin/csh",
    "fish": "/usr/bin/fish",
}
PASSWORD = "correct horse"
NOT_ASKED = ("nopasswd", "right")
CASES = {
    "nopasswd": (True, PASSWORD),
    "right": (True, PASSWORD),
    "wrong": (True, "battery staple"),
    "none": (True, None),
    "rights": (False, PASSWORD),
    "silent": (False, None),
}
"""Has it rights, and the password that is given. All but the first are asked for one."""
TOLD = {
    "wrong": ("sudo did not take the password of {user}",),
    "none": ("sudo wants a password of {user}",),
    "rights": ("{user} is not in the sudoers file", "{user} may not run"),
    "silent": ("{user} is not in the sudoers file", "{user} may not run", "sudo wants a password of {user}"),
}


def prepare(host: LabHost, rust: bool) -> None:
    """A user for each shell and case; with `rust`, sudo-rs is the host's sudo."""
    lines = ["ln -s /bin/busybox /usr/local/bin/ash"]
    lines += ["ln -sf /usr/lib/cargo/bin/sudo /usr/bin/sudo"] if rust else []
    sudoers = []
    for shell, path in SHELLS.items():
        for case, (rights, _) in CASES.items():
            user = f"{shell}-{case}"
            home = f"/home/{user}/.ssh"
            lines.append(f"useradd --create-home --shell {path} {user}; install -d -m 700 -o {user} -g {user} {home}")
            lines.append(f"install -m 600 -o {user} -g {user} /root/.ssh/authorized_keys {home}/authorized_keys")
            if rights:
                sudoers.append(f"{user} ALL=(ALL:ALL) {'NOPASSWD:' if case == 'nopasswd' else ''}ALL\n")
    host.write("/etc/sudoers.d/logins", "".join(sudoers), 0o440)
    host.run("\n".join(lines), timeout=120)
    host.run(["chpasswd"], input="".join(f"{shell}-{case}:{PASSWORD}\n" for shell in SHELLS for case in CASES))


def facts(lab: Lab, host: LabHost, words: dict[str, Any]) -> Ended:
    """One run of `facts` over all of them; `words` (user to password or None) are the logins to try."""
    hosts = {}
    for user, password in words.items():
        values = {"ansible_host": host.ip, "ansible_user": user, "ansible_become": True, "roles": []}
        values["ansible_ssh_private_key_file"] = str(lab.private_key)
        values["ansible_ssh_common_args"] = f"-o UserKnownHostsFile={lab.known_hosts}"
        hosts[user] = values | ({"ansible_become_password": password} if password else {})
    inventory = lab.directory / f"logins-{host.name}.yml"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    return Provision(inventory)("facts", "--forks", "6")


def wanted(shells: tuple[str, ...] = ("bash", "csh", "fish")) -> dict[str, Any]:
    """All shells get in; `shells` are told what is wrong in each case."""
    pairs = [(shell, case) for shell in SHELLS for case in CASES if case in NOT_ASKED or shell in shells]
    return {f"{shell}-{case}": CASES[case][1] for shell, case in pairs}


def wrong(lab: Lab, host: LabHost) -> Iterator[str]:
    """What was not as it should be, a line each."""
    words = wanted()
    ended = facts(lab, host, words)
    for user in words:
        case = user.partition("-")[2]
        told = ended.host(user)
        error = str(told["error"] or "")
        if case in NOT_ASKED:
            if error:
                yield f"{host.name}: {user}: did not get in: {error}"
        elif not any(text.format(user=user) in error for text in TOLD[case]):
            yield f"{host.name}: {user}: {told['outcome']}: {error}"
    for user in words:
        tries = int(
            host.run(
                f"journalctl -q --no-pager | grep -c 'authentication failure.* user={user} *$'", check=False
            ).stdout
        )
        if tries != (1 if user.endswith("-wrong") else 0):
            yield f"{host.name}: {user}: {tries} failed attempts with a password"
