"""What declarations of the kinds for any fleet take, and what they refuse in words."""

import pytest
from pydantic import ValidationError

from provision import resources
from provision.sentences import sentence

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAI" + "x" * 43


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("AuthorizedKey", {"user": "a", "key": f"ssh-ed25519 {BLOB}"}),
        ("AuthorizedKey", {"user": "a", "key": f'command="x y",no-pty ssh-rsa {BLOB}== a b'}),
        ("AuthorizedKey", {"user": "a", "key": f"sk-ssh-ed25519@openssh.com {BLOB}"}),
        ("Sysctl", {"name": "net/ipv4/conf/eth0.1/forwarding", "value": "1 2"}),
        ("KernelModule", {"name": "br-netfilter", "options": {"NVreg_RegistryDwords": "a=b;c=d"}}),
        ("Mount", {"path": "/srv/data", "source": "host:/export", "fstype": "nfs"}),
        ("SystemdUnit", {"name": "a@.service", "content": "x"}),
        ("SystemdDropIn", {"unit": "docker.service", "name": "50-a.conf", "content": "x"}),
        ("Limit", {"domain": "@docker", "item": "memlock", "value": "unlimited"}),
        ("LineInFile", {"path": "/a", "line": "x", "match": "^x"}),
        ("Download", {"path": "/a", "url": "https://example.com/a", "sha256": "0" * 64}),
        ("PackageAbsent", {"names": ["a"]}),
        ("Symlink", {"path": "/a", "target": "../b"}),
    ],
)
def test_what_is_taken(kind: str, fields: dict[str, object]) -> None:
    travels = getattr(resources, kind)(**fields).fields()
    assert {name: travels[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("AuthorizedKey", {"user": "a", "key": "alice"}),
        ("AuthorizedKey", {"user": "a", "key": f"# ssh-rsa {BLOB}"}),
        ("AuthorizedKey", {"user": "a", "key": f"ssh-rsa {BLOB}\nssh-rsa {BLOB}"}),
        ("Sysctl", {"name": "swappiness", "value": "1"}),
        ("Limit", {"domain": "a b", "item": "nofile", "value": "1"}),
        ("Limit", {"domain": "*", "item": "files", "value": "1"}),
        ("Limit", {"domain": "*", "item": "nofile", "value": "many"}),
        ("Sysctl", {"name": "vm.swappiness", "value": " "}),
        ("Sysctl", {"name": "vm.swappiness", "value": "1\nvm.x = 2"}),
        ("KernelModule", {"name": "-a"}),
        ("KernelModule", {"name": "a", "options": {"x": "1 2"}}),
        ("Mount", {"path": "/srv/a b", "source": "tmpfs", "fstype": "tmpfs"}),
        ("Mount", {"path": "/srv/", "source": "tmpfs", "fstype": "tmpfs"}),
        ("SystemdUnit", {"name": "docker", "content": "x"}),
        ("SystemdUnit", {"name": "../a.service", "content": "x"}),
        ("SystemdDropIn", {"unit": "docker.service", "name": "50-a", "content": "x"}),
        ("LineInFile", {"path": "/a", "line": "x\ny"}),
        ("LineInFile", {"path": "/a", "line": "x", "match": "("}),
        ("Download", {"path": "/a", "url": "ftp://example.com/a", "sha256": "0" * 64}),
    ],
)
def test_what_is_refused_and_in_words(kind: str, fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        getattr(resources, kind)(**fields)
    told = [sentence(detail) for detail in refused.value.errors()]
    assert len(told) == 1
    assert told[0].startswith(("should be", "should end", "match is no regular expression"))
