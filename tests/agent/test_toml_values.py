"""config.toml: our values are as asked, everything else stays as it stands."""

import pytest

from provision.agent.engine.resource import converge
from provision.agent.files.toml import TomlValues, changed
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
    assert path.read_text() == 'c = ["x"]\n[a]\nb = 1\n'


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


CONTAINERD = """\
version = 2

[debug]
format = "text"

[plugins.'io.containerd.cri']
level = "keep"

[ "plugins" . odd ]  # a comment
level = "keep"

[[list]]
level = "keep"
[[ 'list' ]]
level = "keep"
"""


@pytest.mark.parametrize("own", ["", 'level = "info"\n'])
def test_a_foreign_key_after_a_header_of_another_form_stays(tmp_path, own):
    path = tmp_path / "config.toml"
    path.write_text(CONTAINERD.replace('"text"\n', '"text"\n' + own))
    system = System(state=str(tmp_path / "s"))
    asked = {"debug.level": "warn"}
    assert converge(toml(path, asked), system, False)["outcome"] == "changed"
    assert path.read_text().count('level = "keep"') == 4
    assert path.read_text().count('level = "warn"') == 1
    assert '"info"' not in path.read_text()
    assert converge(toml(path, asked), system, False)["outcome"] == "ok"


@pytest.mark.parametrize("header", ['["debug"]', "['debug']", "[ debug ]", "[debug] # ours", "\t[debug]"])
def test_a_section_is_found_in_each_form_of_its_name(header):
    assert changed(header + '\nlevel = "info"\n', "debug.level", "warn") == header + '\nlevel = "warn"\n'


def test_a_key_of_another_form_is_the_same_key_and_its_line_stays_as_it_was():
    assert changed("'level' = 1 # ours\n", "level", 2) == "'level' = 2 # ours\n"
    assert changed("debug . level=1", "debug.level", 2) == "debug . level=2"


@pytest.mark.parametrize(
    "text, what",
    [
        ("a = 1\n[debug\n", "a line that is no TOML in line 2"),
        ("what\n", "a line that is no TOML in line 1"),
        ('text = """\n[debug]\n', "a value without an end in line 1"),
        ("text = 'a\n", "a value without an end in line 1"),
        ("\nlist = [1,\n2\n", "a value without an end in line 2"),
        ("list = 1]\n", "a value without an end in line 1"),
        ("debug = {level = 1}\n", "debug as a value in line 1"),
        ("[[debug]]\nlevel = 1\n", "debug as an array of tables in line 1"),
        ("[debug.level]\n", "debug.level as a table in line 1"),
        ("debug.level.a = 1\n", "debug.level as a table in line 1"),
        ("debug.format = 1\n", "debug as keys with dots in line 1"),
    ],
)
def test_a_file_that_cannot_be_kept_is_refused_and_left_alone(tmp_path, text, what):
    path = tmp_path / "config.toml"
    path.write_text(text)
    result = converge(toml(path, {"debug.level": "warn"}), System(state=str(tmp_path / "s")), False)
    assert result["outcome"] == "failed"
    assert result["error"]["cause"] == "{} has {}, which cannot be kept while our values change".format(path, what)
    assert result["error"]["fix"] == "mend or rewrite that line, or take debug.level out of what the roles ask for"
    assert path.read_text() == text


FOREIGN = """\
text = \"\"\"
[debug]
level = "x" \\\"\"\"
\"\"\"
raw = '''
[debug]
'''
more = "[[\\"x"  # not \"\"\" this [
one = 'a [b] \\'
levels = [  # [
  [1, 2], "]",
  {level = "y"},
]  # "
other.level = 1
"""


def test_values_of_others_may_have_any_form(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(FOREIGN)
    system = System(state=str(tmp_path / "s"))
    assert converge(toml(path, {"debug.level": "warn", "top": 1}), system, False)["outcome"] == "changed"
    assert path.read_text() == "top = 1\n" + FOREIGN + '\n[debug]\nlevel = "warn"\n'
    assert converge(toml(path, {"debug.level": "warn", "top": 1}), system, False)["outcome"] == "ok"


def test_a_head_at_the_end_of_a_file_without_a_last_newline():
    assert changed("[a]", "a.b", 1) == "[a]\nb = 1\n"


def test_a_stricter_mode_stays(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(TEXT)
    path.chmod(0o600)
    system = System(state=str(tmp_path / "state"))
    assert converge(toml(path, {"disable-require": True}), system, False)["outcome"] == "changed"
    assert path.stat().st_mode & 0o777 == 0o600
