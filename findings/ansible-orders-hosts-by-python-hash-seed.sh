#!/bin/bash
# ansible-core 2.19.4: the order of the hosts of a group whose children have children changes from run to run.
#
# With the inventory below, `ansible site --list-hosts` begins with one row or with the other, by Python's hash seed, which
# is random unless PYTHONHASHSEED is set. Order "inventory", the default, is documented as the order that the inventory
# provides, and `serial` cuts its batches from it: which host a rolling update changes first is left to chance.
# Nothing is connected to.
#
# Seen: ansible-core 2.19.4, Python 3.11, seeds 0 to 15:
#   a1 b1 c1 d1
#   c1 d1 a1 b1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder/lib" ansible-core==2.19.4
mkdir "$folder/home"
cat >"$folder/hosts.yml" <<'INVENTORY'
site:
  children:
    row1: {children: {rack1: {hosts: {a1: }}, rack2: {hosts: {b1: }}}}
    row2: {children: {rack3: {hosts: {c1: }}, rack4: {hosts: {d1: }}}}
INVENTORY
cd "$folder"
for seed in {0..15}; do
    HOME=$folder/home PYTHONPATH=$folder/lib PYTHONHASHSEED=$seed \
        python3 lib/bin/ansible site -i hosts.yml --list-hosts 2>/dev/null | tail -n +2 | xargs
done | sort -u | tee orders
[ "$(<orders)" = $'a1 b1 c1 d1\nc1 d1 a1 b1' ]
