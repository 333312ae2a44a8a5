#!/bin/bash
# fabric 3.2.3 walks the hosts of `ProxyJump first,second` in the reverse order of OpenSSH.
#
# ssh_config(5): several jump hosts "will be visited sequentially", so ssh connects to `first` and from there to
# `second`. fabric's Connection takes the first name as the gateway next to the target and `second` as the gateway of
# that gateway: it connects to `second` and from there to `first`. Nothing is connected to here; the chain that a
# Connection has built is printed from the outside in.
#
# Seen: fabric 3.2.3, paramiko 5.1.0, Python 3.11:
#   fabric connects to: second, first, target
# OpenSSH 9.2 with the same file (`ssh -G target`): proxyjump first,second
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder/lib" fabric==3.2.3 paramiko==5.1.0
cat >"$folder/config" <<'CONFIG'
Host target
    ProxyJump first,second
CONFIG
seen=$(cd "$folder" && PYTHONPATH=lib python3 - <<'PYTHON'
from fabric import Config, Connection
from paramiko import SSHConfig

connection = Connection("target", config=Config(ssh_config=SSHConfig.from_path("config")))
way = []
while connection is not None:
    way.insert(0, connection.host)
    connection = connection.gateway
print("fabric connects to:", ", ".join(way))
PYTHON
)
echo "$seen"
[ "$seen" = "fabric connects to: second, first, target" ]
