"""Runs on the hosts that have the role motd, since it is named after it."""

from provision.verify.asked import agree


def test_the_message(host, settings):
    agree({"motd.text": (settings["motd"]["text"], host.file("/etc/motd").content_string.rstrip("\n"))})


def test_everybody_can_read_it(host):
    assert host.file("/etc/motd").mode == 0o644
