#!/bin/sh
# SPDX-License-Identifier: MIT
#
# redis.sh PROGRAM [ARGUMENT ...] - runs PROGRAM URL ARGUMENT ... with a private Redis server: its data in a temporary
# folder, reached through a socket there and not by TCP, stopped at the end. Exit status 77 (skipped) where Redis is
# absent.
#
# PROGRAM finds in its environment
#   CORIO_REDIS_SOCKET   the server's socket
#   CORIO_REDIS_RESTART  a command that stops the server, which saves its data, and starts it again
set -eu

command -v redis-server >/dev/null && command -v redis-cli >/dev/null || exit 77
work=$(mktemp -d /tmp/corio-redis-XXXXXX)
socket=$work/socket
cat >"$work/start" <<END
#!/bin/sh
redis-server --port 0 --unixsocket $socket --save "" --dir $work --dbfilename data --logfile $work/log \
    --pidfile $work/pid --daemonize yes >/dev/null
for try in \$(seq 200); do
    [ "\$(redis-cli -s $socket PING 2>/dev/null)" = PONG ] && exit 0
    sleep 0.05
done
cat $work/log >&2
exit 1
END
cleanup() {
    redis-cli -s "$socket" SHUTDOWN NOSAVE >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
sh "$work/start"
export CORIO_REDIS_SOCKET="$socket"
export CORIO_REDIS_RESTART="redis-cli -s $socket SHUTDOWN SAVE && sh $work/start"
program=$1
shift
status=0
"$program" "unix://$socket" "$@" || status=$?
exit $status
