#!/bin/sh
# SPDX-License-Identifier: MIT
#
# audit_servers.sh DELAY_US [ARGUMENT ...] - the audit's table (pkgaudit --compare ARGUMENT ...) over a private PostgreSQL
# and a private Redis server, each behind a proxy that holds back what goes either way by DELAY_US microseconds; 0: reached
# by its socket, without a proxy. Needs ./dev build, and the packages postgresql and redis-server.
#
#     bench/audit_servers.sh 0 --sample=2000 --rounds=9
#     bench/audit_servers.sh 500 --sample=100 --rounds=3
set -eu
root=$(dirname "$(dirname "$(readlink -f "$0")")")

program=$root/build/examples/pkgaudit

if [ "${2:-}" != --inside ]; then
    [ $# -gt 0 ] || {
        echo "usage: bench/audit_servers.sh DELAY_US [ARGUMENT ...]" >&2
        exit 2
    }
    # Each starts its server, and this script again with the server's place before these arguments.
    "$root/tests/dispatch/postgres.sh" "$0" --inside postgres "$@"
    "$root/tests/e2e/redis.sh" "$0" --inside redis "$@"
    exit 0
fi

where=$1
kind=$3
delay_us=$4
shift 4
work=$(mktemp -d /tmp/corio-audit-XXXXXX)
proxy_pid=
trap 'kill $proxy_pid 2>/dev/null || true; rm -rf "$work"' EXIT
"$program" --db="$kind" --db-url="$where" --ingest-only
if [ "$delay_us" -gt 0 ]; then
    case $kind in
    postgres)
        server=$(echo "$where" | sed 's/.*host=\([^ ]*\).*/\1/')/.s.PGSQL.5432
        here=$work/.s.PGSQL.5432
        where=$(echo "$where" | sed "s|host=[^ ]*|host=$work|")
        ;;
    redis)
        server=$CORIO_REDIS_SOCKET
        here=$work/redis
        where=unix://$here
        ;;
    esac
    mkfifo "$work/ready"
    "$root/build/tests/e2e/proxy" "$here" "$server" "$delay_us" >"$work/ready" &
    proxy_pid=$!
    read -r _ <"$work/ready"
fi
echo
echo "$kind, $delay_us microseconds each way"
"$program" --db="$kind" --db-url="$where" --compare "$@"
