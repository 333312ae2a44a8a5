"""This tool beside pyinfra, Ansible and Ansible with Mitogen: the same resources on the same hosts, in one run.

The resources are written three times, as somebody who knows the tool writes them: site/roles/bench_host.py,
site/deploy.py, site/playbook.yml. Fifteen of them: three directories, six files, one package that is held, a group, an
account, its membership, two services. What is not the same:

- This tool looks at the host again after each change, and fails where it is not as asked. The peers believe their
  commands.
- This tool restarts Docker when what it runs is not what is on disk, whoever changed that and whenever. The peers
  restart it when they have just changed one of its files.
- This tool keeps the package's scripts from starting Docker before the end; with the peers Docker starts when it is
  installed, and once more at the end.
- pyinfra has no operation for holds: its deploy asks apt-mark.
- Ansible's apt module needs python3-apt on the host (with Mitogen it cannot install it by itself), so all hosts have it
  beforehand; no other tool uses it.
"""
