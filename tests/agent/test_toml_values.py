"""config.toml: our values are as asked, everything else stays as it stands."""

import pytest

from provision.agent.engine.resource import converge
from provision.agent.files.toml import TomlValues, changed, values
from provision.agent.host.errors import Failed
from provision.agent.host.system import ReadOnly, System

TEXT = """\
#accept-nvidia-visible-devices-envvar-when-unprivileged = true
disable-require = false

[nvidia-container-cli]
environment = []
ldconfig = "@/sbin/ldconfig.real"
load-kmods = true

[nvidia-container-runtime]
log-level = "info"  # a comment
mode = "auto"
runtimes = ["runc", "crun"]

[nvidia-container-runtime.modes.cdi]
default-kind = "nvidia.com/gpu"
"""


def toml(path, asked):
    return TomlValues(path=str(path), values=asked)


def test_values_are_changed_kept_and_compared(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    asked = {
        "nvidia-container-runtime.mode": "cdi",
        "nvidia-container-runtime.log-level": "info",
        "nvidia-container-cli.no-cgroups": True,
        "disable-require": False,
        "nvidia-ctk.path": "/usr/bin/nvidia-ctk",
    }
    check = converge(toml(path, asked), ReadOnly(state=str(tmp_path / "s")), True)
    assert check["outcome"] == "would-change"
    assert [item["key"] for item in check["diff"]] == [
        "nvidia-container-cli.no-cgroups",
        "nvidia-container-runtime.mode",
        "nvidia-ctk.path",
    ]
    assert path.read_text() == TEXT
    system = System(state=str(tmp_path / "s"))
    assert converge(toml(path, asked), system, False)["outcome"] == "changed"
    text = path.read_text()
    assert "[nvidia-container-cli]\nno-cgroups = true\nenvironment = []\n" in text
    assert 'log-level = "info"  # a comment\nmode = "cdi"\n' in text
    assert text.endswith('\n[nvidia-ctk]\npath = "/usr/bin/nvidia-ctk"\n')
    assert converge(toml(path, asked), system, False)["outcome"] == "ok"


def test_a_file_that_is_not_there_is_made(tmp_path):
    path = tmp_path / "config.toml"
    system = System(state=str(tmp_path / "s"))
    assert converge(toml(path, {"a.b": 1, "c": ["x"]}), system, False)["outcome"] == "changed"
    assert values(path.read_text()) == {"a.b": "1", "c": '["x"]'}


def test_a_value_of_an_odd_form_is_refused(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("mode = '''odd'''\n")
    result = converge(toml(path, {"mode": "auto"}), System(state=str(tmp_path / "s")), False)
    assert result["outcome"] == "failed"
    assert "no plain value" in result["error"]["cause"]
    with pytest.raises(Failed):
        toml(path, {"mode": "auto"}).actual(ReadOnly(state=str(tmp_path / "s")))


def test_a_top_level_key_stands_before_the_first_section():
    assert changed("[a]\nb = 1\n", "c", 2) == "c = 2\n[a]\nb = 1\n"
