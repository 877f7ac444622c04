#!/bin/sh
# SPDX-License-Identifier: MIT
#
# install.sh BUILD PREFIX LIBDIR COMPILER... - installs the build into a folder of its own, and builds and runs outside
# projects with what lies there: C and C++20 by pkg-config, C linked statically, and a program that loads and unloads it.
# install.sh --cmake BUILD ... - the same by CMake; exit status 77 (skipped) where there is none.
set -eu
with=pkgconfig
[ "$1" != --cmake ] || { with=cmake; shift; }
build=$1 prefix=$2 libdir=$3
shift 3
here=$(dirname "$(readlink -f "$0")")
[ "$with" != cmake ] || command -v cmake >/dev/null || exit 77

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "not so: $*" >&2
    exit 1
}

DESTDIR="$work/root" meson install -C "$build" --no-rebuild --quiet >"$work/log" 2>&1 || fail "$(cat "$work/log")"
lib="$work/root$prefix/$libdir"
export LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

# works PROGRAM ARGUMENT...: it says so.
works() {
    out=$("$@" 2>&1) || fail "$*: $out"
    [ "$out" = "corio works" ] || fail "$*: $out"
}

# The dispatchers that were built, and a function of each.
dispatchers=
for pair in blocking=corio_blocking_add sqlite=corio_sqlite_open postgres=corio_postgres_open uring=corio_uring_create \
    redis=corio_redis_create http=corio_http_create; do
    [ ! -e "$lib/libcorio-${pair%%=*}.so" ] || dispatchers="$dispatchers $pair"
done

if [ "$with" = cmake ]; then
    names= adds=
    for pair in $dispatchers; do
        names="$names${names:+;}${pair%%=*}"
        adds="$adds -DADD_${pair%%=*}=${pair#*=}"
    done
    CC="$*" cmake -S "$here" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/root$prefix" -DDISPATCHERS="$names" $adds \
        >"$work/log" 2>&1 || fail "$(cat "$work/log")"
    cmake --build "$work/cmake" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
    for program in outside_c outside_cpp $(echo "$names" | tr ';' '\n' | sed 's/^/with_/'); do
        works "$work/cmake/$program"
    done
    echo "CMake: C, C++20,$dispatchers"
    exit 0
fi

# What --prefix would have written there.
sed -i "s|^prefix=.*|prefix=$work/root$prefix|" "$lib"/pkgconfig/*.pc
export PKG_CONFIG_PATH="$lib/pkgconfig"

for library in "$lib"/libcorio*.so; do
    name=$(basename "$library")
    readelf -d "$library" | grep -q "SONAME.*\[$name.0\]" || fail "the soname of $library"
    [ -L "$library" ] && [ -L "$library.0" ] || fail "the links of $library"
    [ -e "${library%.so}.a" ] || fail "no ${library%.so}.a"
    readelf -d "$library" | grep -Eq 'RUNPATH|RPATH' && fail "$library looks in places of its own"
done

[ -n "$(find "$work/root$prefix" -path '*/man3/corio_go.3')" ] || fail "no man pages"
"$work/root$prefix/bin/corio-report" --help >/dev/null || fail "corio-report does not run"
[ -f "$work/root$prefix/share/corio/corio-gdb.py" ] || fail "no commands for gdb"

"$@" -std=c11 -Wall -Werror "$here/outside.c" -o "$work/shared" $(pkg-config --cflags --libs corio)
works "$work/shared"
readelf -d "$work/shared" | grep -q 'NEEDED.*libcorio.so.0' || fail "the program does not need libcorio.so.0"

"$@" -std=c11 "$here/outside.c" -o "$work/archive" $(pkg-config --cflags corio) "$lib/libcorio.a" \
    $(pkg-config --static --libs corio | tr ' ' '\n' | grep -vx -e -lcorio)
works "$work/archive"
readelf -d "$work/archive" | grep -q 'libcorio' && fail "the program needs libcorio.so"
said=shared,\ archive
if echo 'int main(void) { return 0; }' | "$@" -static -x c - -o "$work/none" -lck 2>/dev/null; then
    "$@" -std=c11 "$here/outside.c" -o "$work/static" -static $(pkg-config --static --cflags --libs corio)
    works "$work/static"
    said="$said, static"
fi

for pair in $dispatchers; do
    name=${pair%%=*}
    "$@" -std=gnu11 -DHEADER="<corio/$name.h>" -DADD="${pair#*=}" "$here/dispatcher.c" -o "$work/with" \
        $(pkg-config --cflags --libs "corio-$name")
    works "$work/with"
done

if command -v "${CXX:-c++}" >/dev/null; then
    "${CXX:-c++}" -std=c++20 -Wall -Werror "$here/outside.cpp" -o "$work/cpp" $(pkg-config --cflags --libs corio)
    works "$work/cpp"
    said="$said, C++20"
fi

"$@" -std=gnu11 "$here/unload.c" -o "$work/unload" $(pkg-config --cflags corio) -ldl
works "$work/unload" "$lib/libcorio.so.0"
echo "$said, unloaded,$dispatchers"
