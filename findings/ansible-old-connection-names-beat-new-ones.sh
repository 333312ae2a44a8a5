#!/bin/bash
# ansible-core 2.19.4: where a host has both, ansible_ssh_host, ansible_ssh_user and ansible_ssh_port (the names from
# before 2.0) win over ansible_host, ansible_user and ansible_port, wherever the two stand.
#
# The documentation names the old ones only as earlier spellings. The usual way to have both: group_vars/all still sets
# ansible_ssh_user, and one host sets ansible_user; a host's own variable would then be expected to win over a group's.
# A stand-in for the ssh program prints what it is asked for; nothing is connected to.
#
# Seen: ansible-core 2.19.4, Python 3.11:
#   Port=1111 User=old 192.0.2.1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$folder/lib" ansible-core==2.19.4
mkdir -p "$folder/inventory/group_vars" "$folder/home"
printf 'h1 ansible_host=192.0.2.2 ansible_user=new ansible_port=2222\n' >"$folder/inventory/hosts"
printf 'ansible_ssh_host: 192.0.2.1\nansible_ssh_user: old\nansible_ssh_port: 1111\n' >"$folder/inventory/group_vars/all.yml"
cat >"$folder/ssh" <<'STAND_IN'
#!/bin/bash
printf '%s\n' "$@" >>"${0%/*}/arguments"
exit 0
STAND_IN
chmod +x "$folder/ssh"
cd "$folder"
HOME=$folder/home PYTHONPATH=$folder/lib ANSIBLE_SSH_EXECUTABLE=$folder/ssh ANSIBLE_HOST_KEY_CHECKING=False \
    python3 lib/bin/ansible h1 -i inventory/hosts -m ansible.builtin.raw -a true >output 2>&1 || true
port=$(grep -o -m1 'Port=[0-9]*' arguments)
user=$(grep -o -m1 'User="*[a-z]*' arguments | tr -d '"')
address=$(grep -m1 -x '192\.0\.2\.[0-9]*' arguments)
echo "$port $user $address"
[ "$port $user $address" = "Port=1111 User=old 192.0.2.1" ]
