#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pkgaudit_universe.sh ARCHITECTURE - prints a small Packages file with everything in it: alternatives, versions,
# provided names, cycles, what nothing meets, and a chain of 300 packages.
set -eu
architecture=$1

cat <<END
Package: top
Version: 1.0
Architecture: all
Pre-Depends: early (>= 1:0~)
Depends: absent | old (>= 2) | old, virtual, versioned (>= 3), b:any [$architecture],
 elsewhere [!$architecture], "odd" | folded

Package: early
Version: 1:0
Architecture: $architecture

Package: old
Version: 1.9~rc1
Architecture: all

Package: old
Version: 1.9
Architecture: all
Depends: loop-a

Package: loop-a
Version: 1
Architecture: all
Depends: loop-b

Package: loop-b
Version: 1
Architecture: all
Depends: loop-c, loop-b

Package: loop-c
Version: 1
Architecture: all
Depends: loop-a (= 1), nowhere (>> 1) | nowhere:other, old (<< 1)

Package: z-provider
Version: 1
Architecture: all
Provides: virtual, versioned (= 2)

Package: y-provider
Version: 1
Architecture: all
Provides: versioned (= 3.1), virtual (= 1)

Package: b
Version: 1
Architecture: $architecture
Multi-Arch: allowed

Package: b
Version: 9
Architecture: other

Package: folded
Version: 1
Architecture: all
END
for i in $(seq 1 300); do
    printf '\nPackage: chain-%s\nVersion: %s-1\nArchitecture: all\nDepends: chain-%s (>= %s), top\n' \
        "$i" "$i" "$((i + 1))" "$((i + 1))"
done
