#!/bin/bash
# dockerd --validate with userns-remap "default" makes the user and the group dockremap, and ranges for them.
#
# `dockerd --validate` is to say whether a configuration is right and to end. With {"userns-remap": "default"} it also
# adds dockremap to /etc/passwd, /etc/group and /etc/subuid, as a start of the daemon would: a check is not a dry run.
# Wants root and mmdebstrap; all of it happens in a root file system of its own.
#
# Seen: Docker 26.1.5 of Debian 13:
#   configuration OK
#   passwd: dockremap
#   group: dockremap
#   subuid: dockremap
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null || { echo "SKIPPED: wants root and mmdebstrap"; exit 0; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mmdebstrap --quiet --variant=minbase --include=docker.io --aptopt='APT::Install-Recommends "false"' trixie "$root"
chroot "$root" dockerd --version | grep -F "version 26.1.5" || { echo "another Docker: $(chroot "$root" dockerd --version)"; exit 1; }
! grep -q dockremap "$root/etc/passwd" "$root/etc/group"
echo '{"userns-remap": "default"}' >"$root/daemon.json"
seen=$(chroot "$root" dockerd --validate --config-file /daemon.json 2>&1 | tail -1)
for file in passwd group subuid; do
    seen+=$'\n'"$file: $(cut -d: -f1 "$root/etc/$file" | grep -x dockremap || echo none)"
done
echo "$seen"
[ "$seen" = $'configuration OK\npasswd: dockremap\ngroup: dockremap\nsubuid: dockremap' ]
