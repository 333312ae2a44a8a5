#!/bin/bash
# paramiko 5.1.0's SSHConfig takes a Match block as met when its criterion is one that it does not know.
#
# `Match tagged NAME` (OpenSSH 9.4) and `Match localnetwork CIDR` (9.4) hold only for connections with that tag, or from
# that network. SSHConfig.lookup applies the block to every host: here `User` and `Port` of a block for another tag.
# Whoever shares an ssh_config between ssh and a program on paramiko or fabric reaches another port as another user.
#
# Seen: paramiko 5.1.0, Python 3.11:
#   tagged: user=somebody port=2222
#   localnetwork: user=somebody port=2222
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder/lib" paramiko==5.1.0
printf 'Match tagged other\n    User somebody\n    Port 2222\n' >"$folder/tagged"
printf 'Match localnetwork 192.0.2.0/24\n    User somebody\n    Port 2222\n' >"$folder/localnetwork"
seen=$(cd "$folder" && PYTHONPATH=lib python3 - <<'PYTHON'
from paramiko import SSHConfig

for name in ("tagged", "localnetwork"):
    found = SSHConfig.from_path(name).lookup("host.example.com")
    print(f"{name}: user={found.get('user')} port={found.get('port')}")
PYTHON
)
echo "$seen"
[ "$seen" = $'tagged: user=somebody port=2222\nlocalnetwork: user=somebody port=2222' ]
