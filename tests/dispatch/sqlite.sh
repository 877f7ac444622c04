#!/bin/sh
# SPDX-License-Identifier: MIT
# sqlite.sh PROGRAM - runs PROGRAM with the name of a database file that does not exist yet.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" "$work/db"
