"""apt's configuration, with apt's own parser where it is installed."""

import os
import shutil

import pytest

from provision.agent.engine.resource import converge
from provision.agent.host.results import CommandResult
from provision.agent.host.system import ReadOnly, System
from provision.agent.packages import apt_conf
from provision.agent.packages.apt_conf import AptConf, AptEffective

needs_apt = pytest.mark.skipif(shutil.which("apt-config") is None or os.geteuid() != 0, reason="needs apt, and root")
GOOD = 'Acquire::http::Proxy "http://proxy:3128/";\n'
BAD = 'Acquire::http::Proxy "http://u:hidden@proxy:3128/"\nFoo "x"\n'


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path / "state"))


def conf(path, content=GOOD, mode="0600"):
    return AptConf(path=str(path), content=content, mode=mode, sensitive=True)


@needs_apt
def test_a_file_is_put_in_place_once_apt_takes_it(system, tmp_path):
    path = tmp_path / "proxy.conf"
    result = converge(conf(path), system, False)
    assert result["outcome"] == "changed", result
    assert path.read_text() == GOOD
    assert GOOD not in str(result)
    assert converge(conf(path), system, False)["outcome"] == "ok"
    assert [name for name in os.listdir("/run") if name.startswith("provision-apt-")] == []
    assert [key for key in system.state_file.section("written") if key.startswith("/run")] == []


@needs_apt
def test_what_apt_cannot_read_never_gets_there_and_its_secret_is_not_told(system, tmp_path):
    path = tmp_path / "proxy.conf"
    path.write_text(GOOD)
    result = converge(conf(path, BAD), system, False)
    assert result["outcome"] == "failed"
    assert "apt would not read" in result["error"]["cause"]
    assert "hidden" not in str(result)
    assert path.read_text() == GOOD
    assert sorted(os.listdir(str(tmp_path))) == ["proxy.conf", "state"]


@needs_apt
def test_a_broken_file_is_replaced_by_a_good_one(system, tmp_path):
    path = tmp_path / "proxy.conf"
    path.write_text(BAD)
    assert converge(conf(path), system, False)["outcome"] == "changed"


def test_check_writes_nothing(tmp_path):
    system = ReadOnly(state=str(tmp_path / "state"))
    assert converge(conf(tmp_path / "proxy.conf"), system, True)["outcome"] == "would-change"
    assert os.listdir(str(tmp_path)) == []


def test_no_content_means_no_file_and_dropping_asks_for_that(system, tmp_path):
    path = tmp_path / "proxy.conf"
    path.write_text(GOOD)
    kind, fields = conf(path, mode="0644").when_dropped()
    assert kind == "apt_conf"
    gone = AptConf(**fields)
    assert converge(gone, system, False)["outcome"] == "changed"
    assert not path.exists()
    assert converge(gone, system, False)["outcome"] == "ok"
    assert gone.when_dropped() is None


def test_settings_are_found_by_name_and_line_in_either_form():
    text = """// Acquire::http::Proxy "no";
Acquire { http { Proxy "http://a//b:1"; Proxy::x DIRECT; }; # no
 https::Proxy "z"; /* more
lines; */ };
Foo::Bar "x";
"""
    assert list(apt_conf.settings(text)) == [
        ("acquire::http::proxy", 2, "http://a//b:1"),
        ("acquire::http::proxy::x", 2, "DIRECT"),
        ("acquire::https::proxy", 3, "z"),
        ("foo::bar", 5, "x"),
    ]


class Apt(System):
    """apt's files and the answer of apt-config, from a dictionary."""

    def __init__(self, files, dump):
        System.__init__(self)
        self.files, self.dump = files, dump

    def names(self, directory):
        return sorted(path.rpartition("/")[2] for path in self.files if path.startswith(directory + "/"))

    def text(self, path):
        return self.files.get(path)

    def query(self, argv, **more):
        assert argv == ["apt-config", "dump"]
        return CommandResult(argv, 0, self.dump, "")


OURS = "/etc/apt/apt.conf.d/proxy.conf"


def effective(files, dump):
    resource = AptEffective(path=OURS, values={"Acquire::http::Proxy": "http://u:hidden@proxy:3128/"})
    return converge(resource, Apt(dict(files, **{OURS: ""}), dump), False)


def test_what_is_in_effect_is_ok():
    files = {
        "/etc/apt/apt.conf.d/01proxy": 'Acquire::http::Proxy "other";\n',
        "/etc/apt/apt.conf.d/zz.bak": 'Acquire::http::Proxy "x";',
    }
    assert effective(files, 'Acquire::HTTP::proxy "http://u:hidden@proxy:3128/";\n')["outcome"] == "ok"


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("/etc/apt/apt.conf.d/zz-site", '\nAcquire::http::Proxy "http://u:old@other:1/";\n', 2),
        ("/etc/apt/apt.conf", 'Acquire {\n http {\n  proxy "http://u:old@other:1/";\n};};\n', 3),
        ("/etc/apt/apt.conf.d/01auto", 'Acquire::http::Proxy-Auto-Detect "/usr/bin/auto";\n', 1),
    ],
)
def test_a_file_that_wins_is_named_with_its_line(path, text, line):
    result = effective({path: text}, 'Acquire::http::proxy "http://u:old@other:1/";\n')
    assert result["outcome"] == "failed"
    assert result["error"]["cause"].startswith("{}:{} sets".format(path, line))
    assert "hidden" not in str(result)
    assert "old" not in str(result)


def test_a_value_that_is_not_in_effect_for_no_reason_that_we_see_is_a_failure_too():
    result = effective({}, "")
    assert result["outcome"] == "failed"
    assert "hidden" not in str(result)


def test_a_check_foresees_that_our_new_file_is_one_that_apt_can_read():
    class Broken(Apt):
        writable = False

        def query(self, argv, **more):
            return CommandResult(argv, 100, "", "E: Syntax error {}:3: Extra junk at end of file".format(OURS))

    resource = AptEffective(path=OURS, values={"Acquire::http::Proxy": "http://u:hidden@proxy:3128/"})
    host = Broken({OURS: "junk"}, "")
    assert converge(resource, host, True)["outcome"] == "unknown"
    conf(OURS).foresee(host)
    result = converge(resource, host, True)
    assert result["outcome"] == "would-change"
    assert "hidden" not in str(result)
