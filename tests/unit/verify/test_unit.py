"""The command line of docker.service, as verify reads it out of `systemctl cat`."""

import pytest

from provision.verify.unit import command_line

STOCK = """\
# /lib/systemd/system/docker.service
[Unit]
Description=Docker
ExecStart=not here
[Service]
EnvironmentFile=-/etc/default/docker
ExecStart=-/usr/sbin/dockerd -H fd:// \\
  # in between
  $DOCKER_OPTS
"""
DROP_IN = """
# /etc/systemd/system/docker.service.d/x.conf
[Service]
Environment="DNS=--dns 192.0.2.53" MTU=1400
ExecStart=
ExecStart=/usr/sbin/dockerd $DNS --mtu=${MTU} $NOBODY --label=$$x%%
"""


def read(text: str) -> str:
    return {"/etc/default/docker": "# no\nDOCKER_OPTS=\"--label 'a b' --debug\"\n"}.get(text, "")


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (STOCK, ["/usr/sbin/dockerd", "-H", "fd://", "--label", "a b", "--debug"]),
        (STOCK + DROP_IN, ["/usr/sbin/dockerd", "--dns", "192.0.2.53", "--mtu=1400", "--label=$x%"]),
        (STOCK + DROP_IN + "Environment=\n", ["/usr/sbin/dockerd", "--mtu=", "--label=$x%"]),
        (STOCK + "[Service]\nExecStart=\nExecStart=/usr/local/bin/start-docker\n", None),
        (STOCK + "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd --label=%H\n", None),
        ("", None),
    ],
)
def test_the_command_line_is_what_systemd_would_start(shown: str, words: list[str] | None) -> None:
    assert command_line(shown, read) == words
