#!/bin/sh
# SPDX-License-Identifier: MIT
# docs.sh PAGE SECTION - prints the C program in a section of a page.
set -eu
awk -v heading="## $2" '
    /^## / { inside = $0 == heading }
    inside && /^```$/ { program = 0 }
    inside && program { print; lines++ }
    inside && /^```c$/ { program = 1 }
    END { exit lines == 0 }
' "$1"
