#!/bin/bash
# dockerd --validate takes a default-runtime that no runtime is defined for, and the same dockerd then does not start.
#
# {"default-runtime": "nvidia"} without "runtimes" is what a host has whose NVIDIA runtime was taken out of daemon.json by
# hand. `dockerd --validate` answers "configuration OK"; the daemon ends at its start. A check before a restart cannot
# lean on it for this key. Wants root and mmdebstrap; the daemon runs in namespaces and a root file system of its own.
#
# Seen: Docker 26.1.5 of Debian 13:
#   configuration OK
#   failed to start daemon: specified default runtime 'nvidia' does not exist
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v mmdebstrap >/dev/null || { echo "SKIPPED: wants root and mmdebstrap"; exit 0; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mmdebstrap --quiet --variant=minbase --include=docker.io --aptopt='APT::Install-Recommends "false"' trixie "$root"
chroot "$root" dockerd --version | grep -F "version 26.1.5" || { echo "another Docker: $(chroot "$root" dockerd --version)"; exit 1; }
cat >"$root/daemon.json" <<'CONFIGURATION'
{"default-runtime": "nvidia", "bridge": "none", "iptables": false, "ip6tables": false, "hosts": ["unix:///run/finding.sock"]}
CONFIGURATION
checked=$(chroot "$root" dockerd --validate --config-file /daemon.json 2>&1 | tail -1)
started=$(timeout 60 unshare --net --mount --pid --fork --mount-proc="$root/proc" \
    chroot "$root" dockerd --config-file /daemon.json 2>&1 | tail -1 || true)
printf '%s\n%s\n' "$checked" "$started"
[ "$checked" = "configuration OK" ]
[ "$started" = "failed to start daemon: specified default runtime 'nvidia' does not exist" ]
