#!/bin/sh
# SPDX-License-Identifier: MIT
#
# postgres.sh PROGRAM [ARGUMENT ...] - runs PROGRAM with a private PostgreSQL server: its own data in a temporary folder,
# reached through a socket there and not by TCP, stopped at the end. Exit status 77 (skipped) where PostgreSQL is absent.
#
# PROGRAM gets a conninfo string as its first argument, before the others, and finds in its environment
#   CORIO_POSTGRES          a conninfo string
#   CORIO_POSTGRES_RESTART  a command that stops the server as a crash would, and starts it again
#   CORIO_POSTGRES_STOP, CORIO_POSTGRES_START  the same in two steps
#   CORIO_POSTGRES_LOG      the server's log
set -eu

program=$(readlink -f "$1")
shift
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb 2>/dev/null || echo /nowhere/initdb)")
[ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ] || exit 77

# The server refuses to run as root.
as_server=
if [ "$(id -u)" = 0 ]; then
    id postgres >/dev/null 2>&1 && command -v runuser >/dev/null || exit 77
    as_server="runuser -u postgres --"
fi

work=$(mktemp -d /tmp/corio-postgres-XXXXXX)
chmod 755 "$work"
[ -z "$as_server" ] || chown postgres "$work"
cd "$work"
stop="$as_server $bin/pg_ctl -D $work/data -m immediate -w -s stop"
start="$as_server $bin/pg_ctl -D $work/data -l $work/log -w -s start"
cleanup() {
    $stop >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

$as_server "$bin/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$work/initdb" 2>&1 || {
    cat "$work/initdb" >&2
    exit 1
}
# A crash of the server alone loses nothing without fsync; only one of the machine would.
$as_server tee -a "$work/data/postgresql.conf" >/dev/null <<END
listen_addresses = ''
unix_socket_directories = '$work'
unix_socket_permissions = 0777
max_connections = 60
fsync = off
shared_buffers = 128MB
END
$start || {
    cat "$work/log" >&2
    exit 1
}
export CORIO_POSTGRES="host=$work user=postgres dbname=postgres"
export CORIO_POSTGRES_STOP="$stop" CORIO_POSTGRES_START="$start" CORIO_POSTGRES_RESTART="$stop && $start"
export CORIO_POSTGRES_LOG="$work/log"
status=0
"$program" "$CORIO_POSTGRES" "$@" || status=$?
exit $status
