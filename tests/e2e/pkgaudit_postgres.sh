# SPDX-License-Identifier: MIT
#
# pkgaudit_postgres.sh - what pkgaudit_servers.sh does with PostgreSQL alone; sourced by it.

socket=$(echo "$where" | sed 's/.*host=\([^ ]*\).*/\1/')/.s.PGSQL.5432
here_path=$work/.s.PGSQL.5432
there=$(echo "$where" | sed "s|host=[^ ]*|host=$work|")

sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$where" -c "$1"; }

size() {
    sql "SELECT relname, pg_relation_size(oid) FROM pg_class
         WHERE relnamespace = 'corio_pkgaudit'::regnamespace ORDER BY relname" | tr '\n' ' '
}

server_comes_back() {
    "$program" --all --dump="$work/wanted" "$files" >"$work/out"
    through "$here_path" corio_0 8 "$CORIO_POSTGRES_RESTART"
    "$program" --db=postgres --db-url="$there" --all --dump="$work/dump" "$files" >"$work/out"
    ended "$here_path"
    cmp -s "$work/wanted" "$work/dump" || fail "another result after a restart"

    through "$here_path" COPY 2 "$CORIO_POSTGRES_RESTART"
    "$program" --db=postgres --db-url="$there" --refresh --ingest-only "$files"
    ended "$here_path"
    filled no --all "$files"

    through "$here_path" edges 12 "$CORIO_POSTGRES_RESTART" # libpq alone does not come back
    expect 5 'connection\|terminating' "$program" --db=postgres --db-url="$there" --all --mode=threads "$files"
    ended "$here_path"
}

# Killed when all is written and before it is committed: the data are the old ones.
killed_while_it_writes() {
    through "$here_path" COMMIT 1 "kill -KILL \$(cat $work/pid)"
    status=0
    sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$work/pid" \
        "$program" --db=postgres --db-url="$there" --all "$files" "$work/more" >"$work/out" 2>&1 || status=$?
    ended "$here_path"
    [ "$status" -eq 137 ] || fail "status $status after a kill"
    filled no --all "$files"
}

rights() {
    reader=$(echo "$where" | sed 's/user=[^ ]*/user=reader/')
    sql "CREATE ROLE reader LOGIN"
    expect 5 'permission denied' "$program" --db=postgres --db-url="$reader" --all "$files"
    sql "GRANT USAGE ON SCHEMA corio_pkgaudit TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA corio_pkgaudit TO reader"
    expect 0 'digest' "$program" --db=postgres --db-url="$reader" --all "$files"
    expect 5 'must be owner\|permission denied' "$program" --db=postgres --db-url="$reader" --all --refresh "$files"
    filled no --all "$files"
}

failures() {
    expect 5 'No such file' "$program" --db=postgres --db-url="host=$work/nowhere dbname=postgres" --all "$files"
    expect 5 'nobody' "$program" --db=postgres --db-url="$(echo "$where" | sed 's/user=[^ ]*/user=nobody/')" --all "$files"
    expect 5 'missing "="' "$program" --db=postgres --db-url="nonsense" --all "$files"
    PGHOST=$(dirname "$socket") PGUSER=postgres PGDATABASE=postgres "$program" --db=postgres --all --json "$files" >"$work/json"
    ! grep -q '"ingest"' "$work/json" || fail "libpq's environment does not lead to the same data"
    rights
    killed_while_it_writes
    server_comes_back
    sql "COMMENT ON SCHEMA corio_pkgaudit IS 'somebody else'"
    expect 5 'left alone' "$program" --db=postgres --db-url="$where" --all "$files"
    expect 5 'left alone' "$program" --db=postgres --db-url="$where" --all --refresh "$files"
    [ "$(sql "SELECT count(*) > 300 FROM corio_pkgaudit.package")" = t ] || fail "another program's schema was changed"
}
