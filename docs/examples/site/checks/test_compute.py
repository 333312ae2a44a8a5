"""Runs on every host whose inventory names this folder."""

import pytest


@pytest.mark.group("compute")
def test_containers_reach_one_another_by_the_bridge(dockerd):
    assert dockerd.container.addresses[0].startswith("192.168.127.")


def test_there_is_room_for_images(host, dockerd):
    free = int(host.check_output("df -Pk %s | tail -1", dockerd.info["DockerRootDir"]).split()[3])
    assert free > 1024 * 1024, f"{free} KiB are free"
