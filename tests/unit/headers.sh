#!/bin/sh
# SPDX-License-Identifier: MIT
# headers.sh INCLUDE_DIR - compiles every public header alone, as C11 and as C++17, with all warnings as errors.
set -eu
include=$1
failed=0
for header in "$include"/corio.h "$include"/corio/*.h; do
    libpq=
    case "$header" in
    */sqlite.h) [ -e /usr/include/sqlite3.h ] || continue ;;
    */postgres.h) libpq=$(pkg-config --cflags libpq 2>/dev/null) || continue ;;
    esac
    ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$include" $libpq -fsyntax-only -x c "$header" || failed=1
    if command -v "${CXX:-c++}" >/dev/null; then
        "${CXX:-c++}" -std=c++17 -Wall -Wextra -Werror -I"$include" $libpq -fsyntax-only -x c++ "$header" || failed=1
    fi
done
[ $failed = 0 ] && echo "every public header compiles alone"
exit $failed
