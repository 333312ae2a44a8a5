"""What dockerd refuses at its start and `--validate` does not tell: refused before anything is touched."""

from typing import Any

import pytest

from provision.daemon.refusals import refuse
from provision.role import Refuse

OLD, NEW = (20, 10, 24), (26, 1, 5)
NVIDIA = {"default-runtime": "nvidia"}
RUNTIMES = {"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"log-opts": {"max-sizes": "1m"}}, "json-file has no option max-sizes"),
        ({"log-driver": "local", "log-opts": {"tag": "x"}}, "local has no option tag"),
        ({"log-driver": "journald", "log-opts": {"max-size": "1m"}}, "journald has no option max-size"),
        (NVIDIA, "no runtime is called nvidia"),
    ],
)
def test_what_keeps_docker_from_starting_is_refused(asked: dict[str, Any], text: str) -> None:
    with pytest.raises(Refuse, match=text):
        refuse(asked, {}, {}, NEW)


@pytest.mark.parametrize(
    ("configured", "flags"), [({"log-opts": {"max-size": "1m"}}, {}), ({}, {"log-opt": ["max-size=1m"]})]
)
def test_options_of_the_host_do_not_fit_a_driver_that_is_asked(
    configured: dict[str, Any], flags: dict[str, Any]
) -> None:
    with pytest.raises(Refuse, match="the log options max-size of this host are none of the log driver journald"):
        refuse({"log-driver": "journald"}, configured, flags, NEW)
    refuse({"log-driver": "local"}, configured, flags, NEW)
    refuse({"mtu": 1400}, configured | {"log-driver": "journald"}, flags, NEW)


@pytest.mark.parametrize(
    ("asked", "configured", "flags"),
    [
        ({"log-opts": {"max-size": "1m", "max-file": "3", "mode": "non-blocking"}}, {}, {}),
        ({"log-opts": {"syslog-facility": "x"}}, {"log-driver": "syslog"}, {}),
        ({"log-opts": {"tag": "x"}}, {"log-driver": "json-file"}, {"log-driver": ["journald"]}),
        ({"log-driver": "awslogs", "log-opts": {"awslogs-anything": "x"}}, {}, {}),
        ({"log-driver": "grafana/loki:latest", "log-opts": {"loki-url": "x"}}, {}, {}),
        ({"log-opts": {"max-size": "1m"}}, {"log-opts": ["env=FOO"]}, {}),
        (NVIDIA | RUNTIMES, {}, {}),
        (NVIDIA, RUNTIMES, {}),
        (NVIDIA, {}, {"add-runtime": ["nvidia=/usr/bin/nvidia-container-runtime"]}),
        ({"default-runtime": "runc"}, {}, {}),
        ({"default-runtime": "io.containerd.kata.v2"}, {}, {}),
    ],
)
def test_what_docker_takes_passes(asked: dict[str, Any], configured: dict[str, Any], flags: dict[str, Any]) -> None:
    refuse(asked, configured, flags, NEW)


def test_a_path_of_a_mirror_depends_on_the_engine() -> None:
    asked = {"registry-mirrors": ["https://mirror.corp/hub/"]}
    with pytest.raises(Refuse, match=r"Docker 20\.10\.24 takes no path in the URL of a mirror: https://mirror"):
        refuse(asked, {}, {}, OLD)
    refuse(asked, {}, {}, NEW)
    refuse(asked, {}, {}, (24, 0, 9))
    refuse({"registry-mirrors": ["https://mirror.corp/"]}, {}, {}, OLD)
