#!/bin/bash
# paramiko 5.1.0 cannot load a known_hosts file in which a single line has a marker, @cert-authority or @revoked.
#
# sshd(8), SSH_KNOWN_HOSTS FILE FORMAT: a line may begin with a marker. A site that uses host certificates, or has
# revoked one key, has such a line on every machine. HostKeys.load reads the marker as the list of host names and the
# pattern as the type of the key, and the whole file is lost to an exception, all its ordinary lines included.
#
# Seen: paramiko 5.1.0, Python 3.11:
#   plain: 1 hosts
#   @cert-authority: InvalidHostKey
#   @revoked: InvalidHostKey
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder/lib" paramiko==5.1.0
ssh-keygen -q -t ed25519 -N '' -C '' -f "$folder/key"
key=$(cut -d' ' -f1,2 "$folder/key.pub")
echo "plain.example.com $key" >"$folder/plain"
{ cat "$folder/plain"; echo "@cert-authority *.example.com $key"; } >"$folder/@cert-authority"
{ cat "$folder/plain"; echo "@revoked old.example.com $key"; } >"$folder/@revoked"
seen=$(cd "$folder" && PYTHONPATH=lib python3 - <<'PYTHON'
from paramiko.hostkeys import HostKeys

for name in ("plain", "@cert-authority", "@revoked"):
    try:
        keys = HostKeys(name)
        print(f"{name}: {len(keys)} hosts")
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
PYTHON
)
echo "$seen"
[ "$seen" = $'plain: 1 hosts\n@cert-authority: InvalidHostKey\n@revoked: InvalidHostKey' ]
