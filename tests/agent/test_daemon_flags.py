"""DOCKER_OPTS: flag by flag, all other lines byte for byte, and no guessing at shell code."""

import os

import pytest

from provision.agent.docker import flags as flags_of
from provision.agent.docker.default_file import DaemonFlags
from provision.agent.engine.resource import converge
from provision.agent.host.system import ReadOnly, System

LEGACY = (
    'DOCKER_OPTS="--dns=10.10.254.254 --bip=192.168.127.1/24 --fixed-cidr=192.168.127.128/25 --storage-driver=overlay2'
    ' --disable-legacy-registry=true --default-ulimit=memlock=-1:-1 --default-ulimit=stack=67108864:67108864"\n'
)
NVIDIAS = [
    ("dns", "10.10.254.254"),
    ("bip", "192.168.127.1/24"),
    ("fixed-cidr", "192.168.127.128/25"),
    ("storage-driver", "overlay2"),
    ("disable-legacy-registry", "true"),
    ("default-ulimit", "memlock=-1:-1"),
    ("default-ulimit", "stack=67108864:67108864"),
]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: owners")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "docker"


@pytest.fixture
def system(tmp_path):
    return System(state=str(tmp_path / "state"))


def opts(path, *pairs, **changes):
    items = [{"name": pair[0], "value": pair[1], "role": (pair + ("docker_daemon",))[2]} for pair in pairs]
    fields = dict(path=str(path), flags=items, absent=[], variables={}, export=False, sensitive=False)
    return DaemonFlags(**dict(fields, roles=["docker_daemon"], **changes))


def run(resource, system, check=False):
    result = converge(resource, system, check)
    if result["outcome"] in ("ok", "changed") and not check:
        resource.settled(system)
    return result


def test_nvidias_options_in_a_new_file(path, system):
    variables = {"http_proxy": "http://proxy.example.com:3128/"}
    resource = opts(path, *NVIDIAS, variables=variables, export=True)
    assert run(resource, system)["outcome"] == "changed"
    assert path.read_text() == LEGACY + 'export http_proxy="http://proxy.example.com:3128/"\n'
    assert run(resource, system)["outcome"] == "ok"


def test_check_writes_nothing(path, tmp_path):
    assert converge(opts(path, *NVIDIAS), ReadOnly(state=str(tmp_path / "state")), True)["outcome"] == "would-change"
    assert os.listdir(str(tmp_path)) == []


def test_all_other_lines_stay_byte_for_byte(path, system):
    before = b'# Docker\n\nDOCKERD=/usr/bin/dockerd\n#DOCKER_OPTS="--dns 8.8.8.8"\n'
    after = b"export TMPDIR='/mnt/big'   # caf\xe9\n"
    path.write_bytes(before + b"DOCKER_OPTS='-s aufs --label=a=b  --bip 10.0.0.1/24'\n" + after)
    run(opts(path, ("bip", "192.168.127.1/24"), ("storage-driver", "overlay2")), system)
    line = b'DOCKER_OPTS="--label=a=b --bip=192.168.127.1/24 --storage-driver=overlay2"\n'
    assert path.read_bytes() == before + line + after


def test_a_repeatable_flag_is_replaced_by_name_or_value_and_the_others_stay(path, system):
    path.write_text('DOCKER_OPTS="--dns=8.8.8.8 --default-ulimit nofile=1024 --default-ulimit=memlock=1:2"\n')
    run(opts(path, ("dns", "10.0.0.1"), ("default-ulimit", "memlock=-1:-1")), system)
    words = flags_of.values(path.read_text().strip()[len('DOCKER_OPTS="') : -1].split())
    assert words == {"dns": ["8.8.8.8", "10.0.0.1"], "default-ulimit": ["nofile=1024", "memlock=-1:-1"]}


def test_the_same_value_in_another_spelling_is_ok(path, system):
    path.write_text("DOCKER_OPTS='-s overlay2 --default-ulimit memlock=-1'\n")
    assert (
        run(opts(path, ("storage-driver", "overlay2"), ("default-ulimit", "memlock=-1:-1")), system)["outcome"] == "ok"
    )
    assert path.read_text() == "DOCKER_OPTS='-s overlay2 --default-ulimit memlock=-1'\n"


def test_flags_whose_option_moved_to_daemon_json_go(path, system):
    path.write_text('DOCKER_OPTS="--bip=10.0.0.1/24 --debug"\n')
    result = run(opts(path, absent=["bip"]), system)
    assert result["diff"] == [{"key": "unwanted", "before": ["--bip=10.0.0.1/24"], "after": []}]
    assert path.read_text() == 'DOCKER_OPTS="--debug"\n'
    path.write_text('A=1\nDOCKER_OPTS="--bip=10.0.0.1/24"\nB=2\n')
    run(opts(path, absent=["bip"]), system)
    assert path.read_text() == "A=1\nB=2\n"


def test_what_is_asked_for_no_more_goes_and_foreign_flags_do_not(path, system):
    path.write_text('DOCKER_OPTS="--debug"\n')
    run(opts(path, ("bip", "10.0.0.1/24"), ("mtu", "1400", "another"), variables={"http_proxy": "http://p"}), system)
    run(opts(path), system)
    assert path.read_text() == 'DOCKER_OPTS="--debug --mtu=1400"\n'
    assert run(opts(path), system)["outcome"] == "ok"


def test_a_password_makes_the_file_private_and_never_shows(path, system):
    result = run(opts(path, variables={"http_proxy": "http://u:hunter2@p"}, export=True, sensitive=True), system)
    assert "hunter2" not in repr(result)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    changed = opts(path, variables={"http_proxy": "http://u:hunter3@p"}, export=True, sensitive=True)
    assert "hunter" not in repr(run(changed, system))
    path.chmod(0o644)
    assert run(changed, system)["outcome"] == "changed"
    assert oct(path.stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize(
    "content",
    [
        'DOCKER_OPTS="--bip=$(cat /etc/bip)"\n',
        "DOCKER_OPTS=`cat /etc/opts`\n",
        'DOCKER_OPTS="$DOCKER_OPTS --debug"\n',
        'if true; then\n  DOCKER_OPTS="--debug"\nfi\n',
        "DOCKER_OPTS=\u201c--debug\u201d\n",
        'DOCKER_OPTS="--debug"; echo hello\n',
    ],
)
def test_shell_code_is_refused_and_left_alone(path, system, content):
    path.write_bytes(content.encode("utf-8"))
    result = run(opts(path, ("bip", "10.0.0.1/24")), system)
    assert result["outcome"] == "failed"
    assert result["error"]["fix"]
    assert path.read_bytes() == content.encode("utf-8")
    assert run(opts(path), system)["outcome"] == "ok", "nothing is asked of us, so it is none of our business"


def test_lines_joined_by_a_backslash_are_one_value(path, system):
    path.write_text('DOCKER_OPTS="--debug \\\n  --mtu=1400"\nA=1\n')
    run(opts(path, ("bip", "10.0.0.1/24")), system)
    assert path.read_text() == 'DOCKER_OPTS="--debug --mtu=1400 --bip=10.0.0.1/24"\nA=1\n'
