#!/bin/sh
# SPDX-License-Identifier: MIT
# A program built with a sanitizer, and a library built without.
#
#   mixed.sh SANITIZER SOURCE HEADERS LIBRARY     exits 77 without clang or its runtime
set -eu
sanitizer=$1 source=$2 headers=$3 library=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=$(dirname "$library")
if ! clang -g -O1 -fsanitize="$sanitizer" -fno-sanitize-recover=all -I"$headers" "$source" -o "$work/smoke" \
    -L"$folder" -Wl,-rpath,"$folder" -lcorio 2>"$work/log"; then
    echo "mixed: skipped, no clang with -fsanitize=$sanitizer"
    exit 77
fi
timeout -s KILL 60 "$work/smoke"
