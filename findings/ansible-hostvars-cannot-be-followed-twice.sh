#!/bin/bash
# ansible-core 2.19.4: a variable that is itself a template over hostvars cannot be read through hostvars.
#
# h2's own `peer` is "{{ hostvars['h1'].address }}". For h2 it is the address; for another host
# {{ hostvars['h2'].peer }} fails with "'hostvars' is undefined", though the value would be the same. An inventory in which
# one host's address is derived from another's can so not be read from a third. Nothing is connected to: `debug` runs on
# the controller.
#
# Seen: ansible-core 2.19.4, Python 3.11:
#   h2: 192.0.2.1
#   h3: 'hostvars' is undefined
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder/lib" ansible-core==2.19.4
mkdir "$folder/home"
cat >"$folder/hosts.yml" <<'INVENTORY'
all:
  hosts:
    h1: {address: 192.0.2.1}
    h2: {peer: "{{ hostvars['h1'].address }}"}
    h3:
INVENTORY
cd "$folder"
ask() { HOME=$folder/home PYTHONPATH=$folder/lib python3 lib/bin/ansible "$1" -i hosts.yml -m debug -a "msg=$2" 2>&1 || true; }
own=$(ask h2 "{{ peer }}" | grep -o '192\.0\.2\.[0-9]*' | head -1)
other=$(ask h3 "{{ hostvars['h2'].peer }}" | grep -o "192\.0\.2\.[0-9]*\|'hostvars' is undefined" | head -1)
printf 'h2: %s\nh3: %s\n' "$own" "$other"
[ "$own" = 192.0.2.1 ] && [ "$other" = "'hostvars' is undefined" ]
