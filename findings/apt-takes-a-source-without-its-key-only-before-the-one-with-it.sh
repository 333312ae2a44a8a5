#!/bin/bash
# apt 2.6: two entries for one source, one with Signed-By and one without, stop all of apt or not, by their files' names.
#
# sources.list(5): Signed-By is an option of an entry, and several files may have entries for one source (another
# component, say). With the entry that names the key first (a.list, b.list), apt reads no source at all. With the same
# two entries the other way round it takes them. apt 3.0 takes both orders.
#
# Seen: apt 2.6.2 of Debian 12:
#   key first: 100
#   key last: 0
set -euo pipefail
case $(dpkg-query -W -f '${Version}' apt 2>/dev/null) in
2.6.*) ;;
*)
    echo "SKIPPED: this is about apt 2.6, of Debian 12"
    exit 0
    ;;
esac
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/parts" "$folder/lists"
read_all() {
    apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$folder/parts" \
        -o Dir::State::lists="$folder/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        indextargets >/dev/null 2>&1 && echo 0 || echo $?
}
touch "$folder/key.gpg"
echo "deb [signed-by=$folder/key.gpg] http://archive.invalid/debian stable main" >"$folder/parts/a.list"
echo "deb http://archive.invalid/debian stable contrib" >"$folder/parts/b.list"
seen="key first: $(read_all)"
mv "$folder/parts/a.list" "$folder/parts/c.list"
seen+=$'\n'"key last: $(read_all)"
echo "$seen"
[ "$seen" = $'key first: 100\nkey last: 0' ]
