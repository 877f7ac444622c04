#!/bin/sh
# SPDX-License-Identifier: MIT
#
# man.sh FOLDER LIBRARY... -- HEADER... - the pages in FOLDER are well formed, and there is one for every function that the
# libraries export and for every macro that looks like one.
set -eu
folder=$1
programs=$(dirname "$0")/../../tools
shift
libraries=
while [ "$1" != -- ]; do
    libraries="$libraries $1"
    shift
done
shift

fail() {
    echo "not so: $*" >&2
    exit 1
}

declared=$(nm -D --defined-only $libraries | sed -n 's/.* T \(corio_[a-z0-9_]*\).*/\1/p')
macros=$(cat "$@" | sed -n 's/^#define \(corio_[a-z0-9_]*\)(.*/\1/p')
count=0
for name in $declared $macros; do
    [ -f "$folder/man3/$name.3" ] || fail "no page for $name"
    count=$((count + 1))
done
[ "$count" -gt 60 ] || fail "$count functions only"

# Links lead to pages; a page is not a link, names what it is for, and says who may call it.
pages=
for file in "$folder"/man3/*.3; do
    if read -r so target <"$file" && [ "$so" = .so ]; then
        grep -q '^\.TH ' "$folder/$target" || fail "$file leads nowhere"
        continue
    fi
    name=$(basename "$file" .3)
    grep -A1 '^\.SH NAME$' "$file" | grep -q "^$name\(, \| .*\)" || fail "the name in $file"
    for heading in SYNOPSIS DESCRIPTION 'SEE ALSO'; do
        grep -q "^\.SH $heading\$" "$file" || fail "$file: no $heading"
    done
    pages="$pages $file"
done
if command -v mandoc >/dev/null; then
    mandoc -Tlint -Wwarning $pages "$folder"/man7/*.7 "$programs"/*.1 | grep -v 'missing date' && fail "mandoc is not content"
    linted=mandoc
fi
if command -v man >/dev/null; then
    some="$programs/corio-report.1 $folder/man7/corio.7 $folder/man3/corio_go.3 $folder/man3/corio_run.3"
    [ -n "${linted:-}" ] || some="$pages $folder/man7/*.7"
    said=$(MANWIDTH=160 man --warnings -l $some 2>&1 >/dev/null) || fail "man: $said"
    [ -z "$said" ] || fail "man: $said"
    linted="${linted:-} man"
fi
echo "$count functions have a page; looked at by: ${linted:-nobody}"
