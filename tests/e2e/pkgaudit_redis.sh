# SPDX-License-Identifier: MIT
#
# pkgaudit_redis.sh - what pkgaudit_servers.sh does with Redis alone; sourced by it.

socket=$CORIO_REDIS_SOCKET
here_path=$work/redis
there="unix://$here_path"

redis() { redis-cli -s "$socket" --no-auth-warning "$@"; }

size() { redis DBSIZE; }

server_comes_back() {
    "$program" --all --dump="$work/wanted" "$files" >"$work/out"
    through "$here_path" MGET 3 "$CORIO_REDIS_RESTART"
    "$program" --db=redis --db-url="$there" --all --dump="$work/dump" "$files" >"$work/out"
    ended "$here_path"
    cmp -s "$work/wanted" "$work/dump" || fail "another result after a restart"

    through "$here_path" MSET 2 "$CORIO_REDIS_RESTART"
    "$program" --db=redis --db-url="$there" --refresh --ingest-only "$files"
    ended "$here_path"
    filled no --all "$files"
    [ "$(size)" = "$before" ] || fail "the import that was cut off left something behind: $(size), not $before"

    through "$here_path" GET 12 "$CORIO_REDIS_RESTART" # hiredis alone does not come back
    expect 5 'lost\|closed\|reset\|pipe' "$program" --db=redis --db-url="$there" --all --mode=threads "$files"
    ended "$here_path"
}

# Killed when all is written and before it is valid: the data are the old ones, and the next import removes the others.
killed_while_it_writes() {
    through "$here_path" EVAL 1 "kill -KILL \$(cat $work/pid)"
    status=0
    sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$work/pid" \
        "$program" --db=redis --db-url="$there" --all "$files" "$work/more" >"$work/out" 2>&1 || status=$?
    ended "$here_path"
    [ "$status" -eq 137 ] || fail "status $status after a kill"
    filled no --all "$files"
    [ "$(size)" -gt "$before" ] || fail "it was killed too early"
    filled YES --all --refresh "$files"
    [ "$(size)" = "$before" ] || fail "the next import left something behind: $(size), not $before"
}

rights() {
    redis ACL SETUSER reader on '>se@cret' '~*' +@read >"$work/out"
    reader="unix://reader:se%40cret@$socket"
    expect 0 'digest' "$program" --db=redis --db-url="$reader" --all "$files"
    ! "$program" --db=redis --db-url="$reader" --all --json "$files" | grep -q 'se@cret' || fail "the password is shown"
    expect 5 'NOPERM\|no permissions' "$program" --db=redis --db-url="$reader" --all --refresh "$files"
    expect 5 'WRONGPASS' "$program" --db=redis --db-url="unix://reader:wrong@$socket" --all "$files"
    filled no --all "$files"
}

# The server has dropped a key, as it may when its memory is full.
evicted() {
    redis --scan --pattern 'corio:pkgaudit:*:e:7' | xargs redis-cli -s "$socket" UNLINK >"$work/out"
    for mode in batch item threads; do
        expect 5 'data are gone' "$program" --db=redis --db-url="$where" --all --mode=$mode "$files"
    done
    filled YES --all --refresh "$files"
    redis --scan --pattern 'corio:pkgaudit:*:texts' | xargs redis-cli -s "$socket" UNLINK >"$work/out"
    expect 5 'data are gone' "$program" --db=redis --db-url="$where" --all "$files"
    redis CONFIG SET maxmemory 1 >"$work/out"
    expect 5 'OOM' "$program" --db=redis --db-url="$where" --all --refresh "$files"
    redis CONFIG SET maxmemory 0 >"$work/out"
    filled YES --all --refresh "$files"
}

failures() {
    expect 5 'No such file' "$program" --db=redis --db-url="unix://$work/nowhere" --all "$files"
    expect 5 'refused' "$program" --db=redis --db-url="redis://localhost:1/2" --all "$files"
    for url in http://x redis://x:y redis://x/y "unix:///x?d=1" redis://x:99999 \
        redis://x:+1 "unix:///x?db=-0" redis://x/99999999999; do
        expect 2 'not a Redis URL' "$program" --db=redis --db-url="$url" --all "$files"
    done
    REDIS_URL="$where" "$program" --db=redis --all --json "$files" >"$work/json"
    ! grep -q '"ingest"' "$work/json" || fail "REDIS_URL does not lead to the same data"
    "$program" --db=redis --db-url="$where?db=3" --all --json "$files" | grep -q '"ingest"' || fail "db=3 is no other database"
    redis -n 3 FLUSHDB >"$work/out"
    rights
    killed_while_it_writes
    server_comes_back
    evicted
    redis SET corio:pkgaudit:current "somebody else" >"$work/out"
    expect 5 'left alone' "$program" --db=redis --db-url="$where" --all "$files"
}
