"""Inventories in the form of public ones (DeepOps, kubespray, ceph-ansible), with names and values of our own.

They have the hosts, groups and values that they have in Ansible.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provision import inventory
from provision.inventory import Inventory
from provision.inventory.scalars import Unquoted

from .theirs import Ansible, plain

DEEPOPS = {
    "inventory": """
#
# Servers of the site
#

######
# ALL
######
[all]
head1      ansible_host=10.9.0.1
calc1      ansible_host=10.9.1.1
calc2      ansible_host=10.9.1.2
#calc3     ansible_host=10.9.1.3

[kube-node]
calc1

[kube-cluster:children]
kube-node \t \t

######
# BATCH
######
[batch-head]
head1

[batch-store]

[batch-node]
calc1
calc2

#[batch-store:children]
#batch-head

[batch-cluster:children]
batch-head
batch-node
batch-store

[all:vars]
ansible_user=worker
ansible_ssh_private_key_file='~/.ssh/id_site'
ansible_ssh_common_args='-o ProxyCommand="ssh -W %h:%p -q worker@gate.example.com"'
""",
    "group_vars/all.yml": """---
################
# Site         #
################
site_install: yes
site_strict: no
site_options: -s overlay2
site_branch: "580"
site_ports: {http: 80, ratio: 0.5}
site_people:
  - name: Ann
    groups: ['adm']
    shell: /bin/bash
# site_more: 1
site_text: |
    A=1
    B=2
""",
    "group_vars/batch-cluster.yml": """
cache: "{{ groups['batch-head'] | map('regex_replace', '$', ':5000') | list }}"
exclude: "{{ inventory_hostname not in groups['batch-node'] }}"
site_branch: '575'
""",
    "host_vars/calc2": "site_branch: 570\n",
}
KUBESPRAY = {
    "inventory.ini": """# ## Set ip where the cluster has a network of its own
# ## and member names
[control_plane]
# n1 ansible_host=192.0.2.11  # ip=10.8.0.1
n1 ansible_host=192.0.2.11 ip=10.8.0.1 member=m1 # the first
n2 ansible_host=192.0.2.12  # ip=10.8.0.2 member=m2

[members:children]
control_plane

[work]
n2
n[3:5] ip=10.8.0.3 member=""
# n6

[reflectors]

[cluster:children]
control_plane
work
reflectors
""",
    "credentials/.gitkeep": "",
    "group_vars/all/all.yml": """---
## Where programs lie
bin_dir: /opt/bin
lb: {port: 6443}
## addresses
# upstream: [192.0.2.1]
no_log: "{{ quiet | default(true) }}"
""",
    "group_vars/all/cloud.yml": "## cloud_region: eu\n# cloud_zone:\n",
    "group_vars/all/engine.yml": '---\nengine_iptables: "false"\nengine_opts: "--log-opt max-size=50m"\n',
    "group_vars/cluster/net.yml": """---
net_cidr: 10.7.0.0/16
net_prefix: 24
net_name: "site.{{ 'local' }}"
net_api: "{{ net_cidr | replace('.0/16', '.1') }}"
""",
    "group_vars/control_plane.yml": "# nothing\n",
}
CEPH = {
    "hosts": """[mons]
mon0 monitor_address=10.6.0.10
mon1 monitor_interface=eth1 monitor_address=10.6.0.11

[osds]
osd[0:1] devices="['/dev/sda', '/dev/sdb']"
osd2 crush="{ 'root': 'HDD', 'host': 'osd2' }"

[gates]
mon0
gate0 primary=True secondary=False proto=http port=8080 weight=1.50

[gates:vars]
zone = "['a', 'b']"
realm="north"

[all:vars]
secret=AQ2d== #0
docker=True
""",
    "group_vars/all": """---
network: '10.6.0.0/24'
override:
  global:
    size: 1
    'limit mb': 1024.0
debug: on
""",
    "group_vars/mons": '---\nfirst: "{{ groups.mons.0 }}"\ncreate_keys: true\n',
    "group_vars/osds": "---\nos_tuning:\n  - {name: vm.dirty, value: '0'}\n",
}
FORMS = {"deepops": (DEEPOPS, "inventory"), "kubespray": (KUBESPRAY, "."), "ceph": (CEPH, "hosts")}


@pytest.fixture
def form(write: Callable[..., Path]) -> Callable[[str], tuple[Inventory, Path]]:
    def loads(name: str) -> tuple[Inventory, Path]:
        files, file = FORMS[name]
        return inventory.load(str(write(files) / file)), write({}) / file

    return loads


Form = Callable[[str], tuple[Inventory, Path]]


def values(found: Inventory, host: str, *names: str) -> list[Any]:
    return [found.variable(host, name) for name in names]


def test_the_form_of_deepops(form: Form) -> None:
    found, _ = form("deepops")
    assert found.hosts == ("head1", "calc1", "calc2")
    assert found.members("batch-cluster") == ("head1", "calc1", "calc2")
    assert found.members("kube-cluster") == ("calc1",)
    assert values(found, "calc1", "site_branch", "exclude", "cache") == ["575", False, ["head1:5000"]]
    assert values(found, "calc2", "site_branch", "site_text") == [570, "A=1\nB=2\n"]
    head = found.resolve(["head1"], role_path=[], secrets=False)[0].target
    assert (head.address, head.user) == ("10.9.0.1", "worker")
    assert head.common_args == ("-o", "ProxyCommand=ssh -W %h:%p -q worker@gate.example.com")


def test_the_form_of_kubespray(form: Form) -> None:
    found, _ = form("kubespray")
    assert sorted(found.hosts) == ["n1", "n2", "n3", "n4", "n5"]
    assert found.members("members") == ("n1", "n2")
    assert values(found, "n1", "ip", "member", "bin_dir", "net_api") == ["10.8.0.1", "m1", "/opt/bin", "10.7.0.1"]
    assert values(found, "n2", "ip", "member", "no_log") == [None, None, True]
    assert values(found, "n5", "member", "engine_iptables") == ["", "false"]


def test_the_form_of_ceph(form: Form) -> None:
    found, _ = form("ceph")
    assert found.hosts == ("mon0", "mon1", "osd0", "osd1", "osd2", "gate0")
    assert values(found, "osd1", "devices", "docker", "secret") == [["/dev/sda", "/dev/sdb"], True, "AQ2d== #0"]
    assert values(found, "osd2", "crush") == [{"root": "HDD", "host": "osd2"}]
    assert values(found, "gate0", "primary", "port", "weight", "zone") == [True, 8080, 1.5, "['a', 'b']"]
    assert values(found, "mon1", "first", "realm") == ["mon0", None]


@pytest.mark.skipif(importlib.util.find_spec("ansible") is None, reason="ansible-core is not installed")
@pytest.mark.parametrize("name", FORMS)
def test_a_public_form_is_read_as_ansible_reads_it(form: Form, name: str) -> None:
    ours, path = form(name)
    theirs = Ansible(str(path))
    assert list(ours.hosts) == theirs.hosts()
    assert {group: sorted(ours.members(group)) for group in ours.groups} == {
        group: sorted(hosts) for group, hosts in theirs.members().items()
    }
    for host in ours.hosts:
        found = ours._layers().of(ours._source.tree.hosts[host])[1]
        assert {name: meant(value) for name, value in found.items()} == theirs.all_variables(host)


def meant(value: Any) -> Any:
    """As YAML 1.1 reads it: yes is true."""
    return value.meant if isinstance(value, Unquoted) else plain(value)
