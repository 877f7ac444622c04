# SPDX-License-Identifier: MIT
#
# pkgaudit_common.sh - what pkgaudit.sh and pkgaudit_servers.sh share; sourced by them.

here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d /tmp/corio-pkgaudit-XXXXXX)
cleanup() { rm -rf "$work"; }
trap cleanup EXIT
export XDG_CACHE_HOME="$work/cache"
architecture=$(dpkg --print-architecture 2>/dev/null || echo amd64)
files="$work/Packages"

fail() {
    echo "not so: $*" >&2
    exit 1
}

# expect STATUS TEXT COMMAND...: it ends with this status and says something with TEXT in it.
expect() {
    expected=$1
    text=$2
    shift 2
    status=0
    timeout 120 "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq "$expected" ] || fail "status $status, not $expected, of: $* ($(cat "$work/err"))"
    grep -q -- "$text" "$work/out" "$work/err" || fail "no '$text' from: $* ($(cat "$work/out" "$work/err"))"
}

# digest JSON: of the result in it.
digest() {
    sed -n 's/.*"digest": "\([0-9a-f]*\)".*/\1/p' "$1"
}

# universe: makes the small one, in $files.
universe() {
    "$here/pkgaudit_universe.sh" "$architecture" >"$files"
}
