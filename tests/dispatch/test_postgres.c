/* SPDX-License-Identifier: MIT
 *
 * test_postgres.c - the PostgreSQL dispatchers against a private server (postgres.sh): reads,
 * folding, errors, transactions, lost connections, restarts, time limits.
 */
#include <corio.h>
#include <corio/postgres.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROWS = 10000, TASKS = 10000, PAIRS_MOST = 16 };

static const unsigned worker_counts[] = {1, 2, 8};
static const unsigned connection_counts[] = {1, 4, 16};

/* item(k, v, name) with v = 10 k, name = "item k", for k from 1 to ROWS; pair(k, v) is empty. The
 * sequence `calls` counts calls of counted(); die_once() ends its own session the first time. */
static const char schema[] =
    "SET client_min_messages = error;"
    "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"
    "CREATE TABLE item(k bigint PRIMARY KEY, v bigint, name text);"
    "INSERT INTO item SELECT k, 10 * k, 'item ' || k FROM generate_series(1, 10000) k;"
    "CREATE TABLE pair(k bigint PRIMARY KEY, v bigint CHECK (v >= 0));"
    "CREATE SEQUENCE calls; CREATE SEQUENCE deaths; CREATE SEQUENCE conflicts;"
    "CREATE FUNCTION counted(k bigint) RETURNS bigint LANGUAGE sql VOLATILE"
    "  AS 'SELECT CASE WHEN nextval(''calls'') > 0 THEN k END';"
    "CREATE FUNCTION die_once() RETURNS bigint LANGUAGE plpgsql AS '"
    "  BEGIN IF nextval(''deaths'') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid());"
    "  END IF; RETURN 1; END';"
    "CREATE FUNCTION conflict_once() RETURNS bigint LANGUAGE plpgsql AS '"
    "  BEGIN IF nextval(''conflicts'') = 1 THEN RAISE SQLSTATE ''40001''; END IF; RETURN 1; END';"
    "CREATE FUNCTION die_in_commit() RETURNS trigger LANGUAGE plpgsql AS '"
    "  BEGIN IF NEW.v = 4000 OR NEW.v = 5000 AND nextval(''deaths'') = 1 THEN"
    "  PERFORM pg_terminate_backend(pg_backend_pid()); END IF;"
    "  IF NEW.v = 6000 THEN RAISE ''not at all''; END IF; RETURN NEW; END';"
    "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON pair DEFERRABLE INITIALLY DEFERRED"
    "  FOR EACH ROW EXECUTE FUNCTION die_in_commit();";

struct world {
    corio_postgres *database;
    corio_runtime *runtime;
    corio_dispatcher *query;
    corio_dispatcher *exec;
    PGconn *admin; /* a connection of the test's own */
};

/* -- Set-up -- */

static void admin_do(struct world *world, const char *sql)
{
    PGresult *result = PQexec(world->admin, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    PQclear(result);
}

static int64_t scalar(struct world *world, const char *sql)
{
    PGresult *result = PQexec(world->admin, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    int64_t value = corio_postgres_int64(result, 0, 0);
    PQclear(result);
    return value;
}

static void connect_admin(struct world *world)
{
    world->admin = PQconnectdb(getenv("CORIO_POSTGRES"));
    assert_int_equal(PQstatus(world->admin), CONNECTION_OK);
}

static void open_world_with(struct world *world, unsigned workers,
                            const corio_postgres_options *options)
{
    memset(world, 0, sizeof *world);
    connect_admin(world);
    admin_do(world, schema);
    corio_options runtime = CORIO_OPTIONS_INIT;
    runtime.workers = workers;
    runtime.wait_mode = CORIO_WAIT_STRICT;
    assert_int_equal(corio_postgres_open(options, &world->database), 0);
    assert_int_equal(corio_runtime_create(&runtime, &world->runtime), 0);
}

static void open_world(struct world *world, unsigned workers)
{
    const corio_postgres_options options = {
        .size = sizeof options, .conninfo = getenv("CORIO_POSTGRES"), .connections = 4};
    open_world_with(world, workers, &options);
}

static void close_world(struct world *world)
{
    assert_int_equal(corio_runtime_destroy(world->runtime), 0);
    corio_postgres_close(world->database);
    PQfinish(world->admin);
}

static corio_postgres_stats stats_of(const corio_dispatcher *dispatcher)
{
    corio_postgres_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_postgres_dispatcher_stats(dispatcher, &stats), 0);
    return stats;
}

static void run_command(const char *name)
{
    int status = system(getenv(name));
    if (status != 0)
        fail_msg("%s: status %d", name, status);
}

static int bind_key(void *self, corio_postgres_params *params, const void *input)
{
    (void)self;
    int64_t key = *(const int64_t *)input;
    if (key == -7)
        return -ERANGE;
    return corio_postgres_bind_int64(params, 1, key);
}

struct answer {
    corio_postgres_memory *memory; /* of text */
    int64_t value;
    int rows;
    const char *text;
};

/* Columns: key, value, text. */
static int take_row(void *self, corio_postgres_memory *memory, const PGresult *result, int row,
                    void *output)
{
    (void)self;
    struct answer *answer = output;
    answer->rows++;
    answer->value = corio_postgres_int64(result, row, 1);
    char *text = corio_postgres_alloc(memory, (size_t)PQgetlength(result, row, 2) + 1);
    if (!text)
        return -ENOMEM;
    answer->text = strcpy(text, PQgetvalue(result, row, 2));
    return 0;
}

static void keep_words(void *self, corio_postgres_memory *memory, const PGresult *error,
                       void *output)
{
    (void)self;
    const char *words = PQresultErrorMessage(error);
    char *text = corio_postgres_alloc(memory, strlen(words) + 1);
    ((struct answer *)output)->text = text ? strcpy(text, words) : NULL;
}

static corio_postgres_query query_of(const char *sql)
{
    return (corio_postgres_query){.size = sizeof(corio_postgres_query),
                                  .request = {.sql = {sql},
                                              .input_bytes = sizeof(int64_t),
                                              .output_bytes = sizeof(struct answer),
                                              .with_memory = true,
                                              .bind = bind_key,
                                              .row = take_row,
                                              .failed = keep_words}};
}

static void add_query(struct world *world, const corio_postgres_query *query)
{
    int rc = corio_postgres_add_query(world->database, world->runtime, query, &world->query);
    char words[256] = "";
    corio_postgres_message(world->database, words, sizeof words);
    if (rc != 0)
        fail_msg("add_query: %d, %s", rc, words);
}

struct job {
    struct world *world;
    int64_t number;
};

static void run_many(struct world *world, corio_task_fn *root, void *arg)
{
    int rc = corio_run(world->runtime, root, arg);
    char words[256] = "";
    corio_postgres_message(world->database, words, sizeof words);
    if (rc != 0)
        fail_msg("%s of task %s, %s", corio_postgres_strerror(rc),
                 corio_runtime_error(world->runtime)->path, words);
}

/* -- Reads -- */

/* Whether it is the row of that key; releases the answer. */
static bool is_item(struct answer *answer, int64_t key)
{
    char text[32];
    snprintf(text, sizeof text, "item %lld", (long long)key);
    bool is = answer->rows == 1 && answer->value == 10 * key && strcmp(answer->text, text) == 0;
    corio_postgres_free(answer->memory);
    return is;
}

/* Whether it is the division by zero in words; releases the answer. */
static bool is_division_by_zero(struct answer *answer)
{
    bool is = answer->text && strstr(answer->text, "division by zero");
    corio_postgres_free(answer->memory);
    return is;
}

static int read_twice(void *arg)
{
    const struct job *job = arg;
    for (int round = 0; round < 2; round++) {
        int64_t key = (job->number + 17 * round) % ROWS + 1;
        struct answer answer = {0};
        int rc = corio_io(job->world->query, &key, &answer);
        if (rc < 0) {
            corio_postgres_free(answer.memory); /* the words */
            return rc;
        }
        if (!is_item(&answer, key))
            return -EBADMSG;
    }
    return 0;
}

static int spawn_readers(void *arg)
{
    struct job job = {arg, 0};
    for (; job.number < TASKS; job.number++)
        corio_go_copy(read_twice, &job, sizeof job);
    return corio_wait();
}

static void reads_of_ten_thousand_tasks_are_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world world;
        open_world(&world, worker_counts[i]);
        corio_postgres_query query = query_of("SELECT k, v, name FROM item WHERE k = $1");
        query.request.binary = i == 1;
        add_query(&world, &query);
        run_many(&world, spawn_readers, &world);
        corio_postgres_stats stats = stats_of(world.query);
        assert_int_equal(stats.requests, 2 * TASKS);
        assert_int_equal(stats.statements, 2 * TASKS);
        assert_int_equal(stats.batches, 2);
        assert_in_range(stats.connects, 1, 4);
        close_world(&world);
    }
}

static void limits_cut_batches(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 2);
    corio_postgres_query query = query_of("SELECT k, v, name FROM item WHERE k = $1");
    query.max_batch = 300;
    query.max_in_flight = 1000;
    add_query(&world, &query);
    run_many(&world, spawn_readers, &world);
    corio_postgres_stats stats = stats_of(world.query);
    assert_int_equal(stats.requests, 2 * TASKS);
    assert_int_equal(stats.largest_batch, 300);
    close_world(&world);
}

static int read_result(void *arg)
{
    const struct job *job = arg;
    PGresult *result = NULL;
    int64_t key = job->number;
    int rc = corio_io(job->world->query, &key, &result);
    bool good = rc == 0 && PQntuples(result) == 3 && corio_postgres_int64(result, 2, 0) == key + 2;
    PQclear(result);
    return good ? 0 : -EBADMSG;
}

static int fail_with_result(void *arg)
{
    struct world *world = arg;
    PGresult *result = NULL;
    int64_t key = 0;
    int rc = corio_io(world->query, &key, &result);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool good = rc == -EDOM && sqlstate && strcmp(sqlstate, "22012") == 0;
    PQclear(result);
    return good ? 0 : -EBADMSG;
}

static int spawn_results(void *arg)
{
    struct job job = {arg, 1};
    for (; job.number <= 500; job.number++)
        corio_go_copy(read_result, &job, sizeof job);
    corio_go(fail_with_result, arg);
    return corio_wait();
}

static void a_result_is_given_to_its_task(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 2);
    corio_postgres_query query =
        query_of("SELECT generate_series($1::bigint, $1::bigint + 2), 1 / $1");
    query.request.row = NULL;
    query.request.with_memory = false;
    query.request.output_bytes = sizeof(PGresult *);
    add_query(&world, &query);
    run_many(&world, spawn_results, &world);
    close_world(&world);
}

/* -- Errors -- */

static int divide(void *arg)
{
    const struct job *job = arg;
    int64_t divisor = job->number % 7 == 0 ? 0 : job->number % 11 == 0 ? -7 : job->number;
    struct answer answer = {0};
    int rc = corio_io(job->world->query, &divisor, &answer);
    if (divisor == 0)
        return rc == -EDOM && is_division_by_zero(&answer) ? 0 : -EBADMSG;
    if (divisor == -7)
        return rc == -ERANGE ? 0 : -EBADMSG;
    corio_postgres_free(answer.memory);
    return rc == 0 && answer.value == 1000000 / divisor ? 0 : -EBADMSG;
}

static int spawn_divisions(void *arg)
{
    struct job job = {arg, 1};
    for (; job.number <= 2000; job.number++)
        corio_go_copy(divide, &job, sizeof job);
    return corio_wait();
}

static void an_error_reaches_its_request_only(void **state)
{
    (void)state;
    static const unsigned groups[] = {1, 0, 5000};
    for (size_t i = 0; i < 3; i++) {
        struct world world;
        open_world(&world, worker_counts[i]);
        corio_postgres_query query = query_of("SELECT 1, 1000000 / $1::bigint, 'quotient'");
        query.group = groups[i];
        add_query(&world, &query);
        run_many(&world, spawn_divisions, &world);
        corio_postgres_stats stats = stats_of(world.query);
        assert_true(stats.statements <= 2 * 2000);
        if (groups[i] == 1)
            assert_true(stats.statements < 2000);
        close_world(&world);
    }
}

static void wrong_sql_is_refused_when_added(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 1);
    static const char *const refused[] = {"SELECT nothing FROM nowhere", "SELEKT 1", "SELECT $1 +"};
    for (size_t i = 0; i < 3; i++) {
        corio_postgres_query query = query_of(refused[i]);
        assert_int_equal(
            corio_postgres_add_query(world.database, world.runtime, &query, &world.query), -EINVAL);
        const corio_postgres_exec exec = {.size = sizeof exec,
                                          .request = {.sql = {"SELECT 1", refused[i]}}};
        assert_int_equal(corio_postgres_add_exec(world.database, world.runtime, &exec, &world.exec),
                         -EINVAL);
    }
    char text[64];
    assert_true(corio_postgres_message(world.database, text, sizeof text) > 0);
    assert_non_null(strstr(text, "syntax error"));
    corio_postgres_query query = query_of("SELECT k, v, name FROM item WHERE k = $1");
    add_query(&world, &query);
    run_many(&world, spawn_readers, &world);
    close_world(&world);
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    corio_postgres *database;
    char words[256] = "";
    corio_postgres_options options = {.size = sizeof options,
                                      .conninfo = "nonsense",
                                      .message = words,
                                      .message_bytes = sizeof words};
    assert_int_equal(corio_postgres_open(&options, &database), -EINVAL);
    assert_non_null(strstr(words, "nonsense"));
    options.conninfo = "host=/nowhere/at/all";
    assert_int_equal(corio_postgres_open(&options, &database), -ECONNREFUSED);
    assert_non_null(strstr(words, "/nowhere/at/all"));
    char absent[256];
    snprintf(absent, sizeof absent, "%s dbname=absent", getenv("CORIO_POSTGRES"));
    options.conninfo = absent;
    assert_int_equal(corio_postgres_open(&options, &database), -ECONNREFUSED);
    assert_non_null(strstr(words, "absent"));
    options.connections = 65;
    assert_int_equal(corio_postgres_open(&options, &database), -EINVAL);
    assert_int_equal(corio_postgres_open(NULL, &database), -EINVAL);
    assert_int_equal(corio_postgres_error("23505"), -EEXIST);
    assert_int_equal(corio_postgres_error("22003"), -ERANGE);
    assert_int_equal(corio_postgres_error("42P01"), -EINVAL);
    assert_int_equal(corio_postgres_error(NULL), 0);
    corio_postgres_close(NULL);
}

static int refuse_session(void *self, PGconn *connection)
{
    (void)self;
    return PQstatus(connection) == CONNECTION_OK ? -ENOTSUP : -EBADMSG;
}

static void opened_may_refuse(void **state)
{
    (void)state;
    corio_postgres *database;
    const corio_postgres_options options = {
        .size = sizeof options, .conninfo = getenv("CORIO_POSTGRES"), .opened = refuse_session};
    assert_int_equal(corio_postgres_open(&options, &database), -ENOTSUP);
}

/* -- Folding -- */

static int read_folded(void *arg)
{
    const struct job *job = arg;
    int64_t key = job->number % 3000 - 100; /* those below 1 are absent */
    struct answer answer = {0};
    int rc = corio_io(job->world->query, &key, &answer);
    if (rc < 0)
        return rc;
    if (key < 1)
        return answer.rows == 0 && !answer.memory ? 0 : -EBADMSG;
    return is_item(&answer, key) ? 0 : -EBADMSG;
}

static int spawn_folded(void *arg)
{
    struct job job = {arg, 0};
    for (; job.number < TASKS; job.number++)
        corio_go_copy(read_folded, &job, sizeof job);
    return corio_wait();
}

static corio_postgres_query folded_query(const char *sql)
{
    corio_postgres_query query = query_of(sql);
    query.request.bind = NULL;
    query.fold = CORIO_POSTGRES_FOLD_INT64;
    return query;
}

/* How often the server says that it executed one of our statements, since it began to write. */
static unsigned executions(void)
{
    FILE *log = fopen(getenv("CORIO_POSTGRES_LOG"), "r");
    assert_non_null(log);
    char line[4096];
    unsigned count = 0;
    while (fgets(line, sizeof line, log))
        count += strstr(line, "execute corio_") != NULL;
    fclose(log);
    return count;
}

static void folding_asks_each_key_once(void **state)
{
    (void)state;
    char conninfo[256];
    snprintf(conninfo, sizeof conninfo, "%s options='-c log_statement=all'",
             getenv("CORIO_POSTGRES"));
    const corio_postgres_options options = {
        .size = sizeof options, .conninfo = conninfo, .connections = 4};
    for (size_t i = 0; i < 3; i++) {
        struct world world;
        open_world_with(&world, worker_counts[i], &options);
        corio_postgres_query query = folded_query(
            "SELECT counted(asked.k), v, name FROM unnest($1) AS asked(k) "
            "LEFT JOIN item USING (k) WHERE counted(asked.k) IS NULL OR v IS NOT NULL");
        query.request.binary = i == 1;
        add_query(&world, &query);
        unsigned before = executions();
        run_many(&world, spawn_folded, &world);
        /* Once in the condition for each key, once more for each row. */
        assert_int_equal(scalar(&world, "SELECT last_value FROM calls"), 3000 + 2899);
        corio_postgres_stats stats = stats_of(world.query);
        assert_int_equal(stats.requests, TASKS);
        assert_int_equal(stats.unique, 3000);
        assert_int_equal(stats.statements, 4);
        assert_int_equal(executions() - before, 4);
        close_world(&world);
    }
}

static const void *text_key(void *self, const void *input, size_t *ret_bytes)
{
    (void)self;
    const char *const *name = input;
    *ret_bytes = strlen(*name);
    return *name;
}

static int read_by_name(void *arg)
{
    const struct job *job = arg;
    char text[32];
    int64_t number = job->number % 100 + 1;
    snprintf(text, sizeof text, "item %lld", (long long)number);
    const char *name = text;
    struct answer answer = {0};
    int rc = corio_io(job->world->query, &name, &answer);
    return rc < 0 ? rc : is_item(&answer, number) ? 0 : -EBADMSG;
}

static int spawn_by_name(void *arg)
{
    struct job job = {arg, 0};
    for (; job.number < 1000; job.number++)
        corio_go_copy(read_by_name, &job, sizeof job);
    return corio_wait();
}

static void text_keys_are_folded(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 2);
    corio_postgres_query query = folded_query("SELECT k, v, name FROM item WHERE name = ANY($1)");
    query.request.input_bytes = sizeof(const char *);
    query.fold = CORIO_POSTGRES_FOLD_TEXT;
    query.key = text_key;
    query.key_column = 2;
    add_query(&world, &query);
    run_many(&world, spawn_by_name, &world);
    assert_int_equal(stats_of(world.query).unique, 100);
    assert_int_equal(stats_of(world.query).statements, 1);
    close_world(&world);
}

static int divide_folded(void *arg)
{
    const struct job *job = arg;
    struct answer answer = {0};
    int rc = corio_io(job->world->query, &job->number, &answer);
    if (job->number == 50)
        return rc == -EDOM && is_division_by_zero(&answer) ? 0 : -EBADMSG;
    corio_postgres_free(answer.memory);
    return rc == 0 && answer.value == 1000 / (job->number - 50) ? 0 : -EBADMSG;
}

static int spawn_folded_divisions(void *arg)
{
    struct job job = {arg, 0};
    for (; job.number < 256; job.number++)
        corio_go_copy(divide_folded, &job, sizeof job);
    return corio_wait();
}

static void a_bad_key_is_found_in_its_array(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 2);
    corio_postgres_query query =
        folded_query("SELECT k, 1000 / (k - 50), 'quotient' FROM unnest($1) AS asked(k)");
    add_query(&world, &query);
    run_many(&world, spawn_folded_divisions, &world);
    assert_int_equal(stats_of(world.query).statements, 2 + 2 * 7); /* an array per connection */
    close_world(&world);
}

static int read_strange(void *arg)
{
    struct world *world = arg;
    int64_t key = 1;
    struct answer answer = {0};
    int rc = corio_io(world->query, &key, &answer);
    corio_postgres_free(answer.memory);
    return rc == -EBADMSG ? 0 : -EDOM;
}

static void a_row_with_a_strange_key_is_an_error(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 2);
    corio_postgres_query query =
        folded_query("SELECT k + 1, k, 'strange' FROM unnest($1) AS asked(k)");
    add_query(&world, &query);
    run_many(&world, read_strange, &world);
    query.request.bind = bind_key;
    assert_int_equal(corio_postgres_add_query(world.database, world.runtime, &query, &world.query),
                     -EINVAL);
    close_world(&world);
}

/* -- Writes -- */

static int bind_pair(void *self, corio_postgres_params *params, const void *input)
{
    (void)self;
    const int64_t *pair = input;
    if (pair[0] == -7)
        return -ERANGE;
    int rc = corio_postgres_bind_int64(params, 1, pair[0]);
    return rc < 0 ? rc : corio_postgres_bind_int64(params, 2, pair[1]);
}

static corio_postgres_exec exec_of(const char *sql)
{
    return (corio_postgres_exec){
        .size = sizeof(corio_postgres_exec),
        .request = {.sql = {sql}, .input_bytes = 2 * sizeof(int64_t), .bind = bind_pair}};
}

static void add_exec(struct world *world, const corio_postgres_exec *exec)
{
    assert_int_equal(corio_postgres_add_exec(world->database, world->runtime, exec, &world->exec),
                     0);
}

static const char insert_sql[] = "INSERT INTO pair VALUES($1, $2)";

struct pairs {
    struct world *world;
    const int64_t (*pairs)[2];
    size_t count;
    int statuses[PAIRS_MOST];
    int64_t outputs[PAIRS_MOST];
};

static int write_pairs(void *arg)
{
    struct pairs *pairs = arg;
    corio_request requests[PAIRS_MOST];
    for (size_t i = 0; i < pairs->count; i++)
        requests[i] = (corio_request){.dispatcher = pairs->world->exec,
                                      .input = pairs->pairs[i],
                                      .output = &pairs->outputs[i]};
    int rc = corio_io_all(requests, pairs->count);
    for (size_t i = 0; i < pairs->count; i++)
        pairs->statuses[i] = requests[i].status;
    return rc;
}

static const int64_t mixed_pairs[][2] = {{1, 1}, {2, -1}, {3, 3}, {1, 4}, {-7, 0}, {5, 5}};

static int insert_one(void *arg)
{
    const struct job *job = arg;
    const int64_t pair[2] = {job->number, 1};
    return corio_io(job->world->exec, pair, NULL);
}

static int spawn_inserts(void *arg)
{
    struct job job = {arg, 0};
    for (; job.number < TASKS; job.number++)
        corio_go_copy(insert_one, &job, sizeof job);
    return corio_wait();
}

static void a_batch_is_one_transaction(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world world;
        open_world(&world, worker_counts[i]);
        corio_postgres_exec exec = exec_of(insert_sql);
        add_exec(&world, &exec);
        run_many(&world, spawn_inserts, &world);
        corio_postgres_stats stats = stats_of(world.exec);
        assert_int_equal(stats.commits, 1);
        assert_int_equal(stats.statements, TASKS);
        assert_int_equal(scalar(&world, "SELECT count(*) FROM pair"), TASKS);
        assert_int_equal(scalar(&world, "SELECT count(DISTINCT xmin::text) FROM pair"), 1);
        close_world(&world);
    }
}

static void max_batch_bounds_a_transaction(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 2);
    corio_postgres_exec exec = exec_of(insert_sql);
    exec.max_batch = 1000;
    add_exec(&world, &exec);
    run_many(&world, spawn_inserts, &world);
    assert_int_equal(stats_of(world.exec).commits, TASKS / 1000);
    assert_int_equal(scalar(&world, "SELECT count(*) FROM pair"), TASKS);
    close_world(&world);
}

static void a_failed_write_leaves_its_neighbours_alone(void **state)
{
    (void)state;
    static const int expected[] = {0, -EEXIST, 0, -EEXIST, -ERANGE, 0};
    struct world world;
    open_world(&world, 2);
    corio_postgres_exec exec = exec_of(insert_sql);
    add_exec(&world, &exec);
    struct pairs pairs = {.world = &world, .pairs = mixed_pairs, .count = 6};
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), -EEXIST);
    assert_memory_equal(pairs.statuses, expected, sizeof expected);
    assert_int_equal(scalar(&world, "SELECT count(*) FROM pair"), 3);
    assert_int_equal(scalar(&world, "SELECT sum(v) FROM pair"), 1 + 3 + 5);
    assert_int_equal(stats_of(world.exec).commits, 1);
    close_world(&world);
}

static void all_or_nothing_rolls_back(void **state)
{
    (void)state;
    static const int expected[] = {-ECANCELED, -EEXIST, -ECANCELED,
                                   -ECANCELED, -ERANGE, -ECANCELED};
    static const int64_t good[][2] = {{1, 1}, {2, 2}};
    struct world world;
    open_world(&world, 2);
    corio_postgres_exec exec = exec_of(insert_sql);
    exec.all_or_nothing = true;
    add_exec(&world, &exec);
    struct pairs pairs = {.world = &world, .pairs = mixed_pairs, .count = 6};
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), -ECANCELED);
    assert_memory_equal(pairs.statuses, expected, sizeof expected);
    assert_int_equal(scalar(&world, "SELECT count(*) FROM pair"), 0);
    pairs.pairs = mixed_pairs + 4; /* one that is not even sent */
    pairs.count = 2;
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), -ERANGE);
    assert_int_equal(scalar(&world, "SELECT count(*) FROM pair"), 0);
    pairs.pairs = good;
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), 0);
    assert_int_equal(scalar(&world, "SELECT count(*) FROM pair"), 2);
    assert_int_equal(stats_of(world.exec).commits, 1);
    close_world(&world);
}

static int take_returned(void *self, corio_postgres_memory *memory, const PGresult *result, int row,
                         void *output)
{
    (void)self;
    (void)memory;
    int64_t value = corio_postgres_int64(result, row, 0);
    *(int64_t *)output += value;
    return value == 30 ? -EDOM : 0;
}

static void a_rejected_row_is_undone(void **state)
{
    (void)state;
    static const int64_t given[][2] = {{1, 1}, {2, -1}, {3, 3}, {4, 4}};
    static const int expected[] = {0, -EEXIST, -EDOM, 0};
    struct world world;
    open_world(&world, 2);
    corio_postgres_exec exec = exec_of("INSERT INTO pair VALUES($1, $2) RETURNING 10 * v");
    exec.request.row = take_returned;
    exec.request.output_bytes = sizeof(int64_t);
    add_exec(&world, &exec);
    struct pairs pairs = {.world = &world, .pairs = given, .count = 4};
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), -EEXIST);
    assert_memory_equal(pairs.statuses, expected, sizeof expected);
    assert_int_equal(pairs.outputs[0], 10);
    assert_int_equal(pairs.outputs[3], 40);
    assert_int_equal(scalar(&world, "SELECT sum(k) FROM pair"), 1 + 4);
    close_world(&world);
}

static int use_second(void *self, corio_postgres_params *params, const void *input)
{
    const int64_t *pair = input;
    if (pair[1] != 0)
        return bind_pair(self, params, input);
    int rc = corio_postgres_use(params, 1);
    char *text = corio_postgres_scratch(params, 32);
    if (rc < 0 || !text || corio_postgres_use(params, 2) != -EINVAL ||
        corio_postgres_bind_null(params, CORIO_POSTGRES_PARAMETERS + 1) != -EINVAL)
        return -ENOMEM;
    snprintf(text, 32, "%lld", (long long)pair[0]);
    return corio_postgres_bind_text(params, 1, text);
}

static void a_request_chooses_its_statement(void **state)
{
    (void)state;
    static const int64_t given[][2] = {{1, 1}, {2, 2}, {1, 0}, {3, 3}};
    struct world world;
    open_world(&world, 2);
    corio_postgres_exec exec = exec_of(insert_sql);
    exec.request.sql[1] = "DELETE FROM pair WHERE k = $1";
    exec.request.bind = use_second;
    add_exec(&world, &exec);
    struct pairs pairs = {.world = &world, .pairs = given, .count = 4};
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), 0);
    assert_int_equal(scalar(&world, "SELECT sum(k) FROM pair"), 2 + 3);
    close_world(&world);
}

static void an_error_at_commit_is_everybodys(void **state)
{
    (void)state;
    static const int64_t given[][2] = {{1, 1}, {2, 6000}};
    struct world world;
    open_world(&world, 2);
    corio_postgres_exec exec = exec_of(insert_sql);
    add_exec(&world, &exec);
    struct pairs pairs = {.world = &world, .pairs = given, .count = 2};
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), -EINVAL);
    assert_int_equal(pairs.statuses[0], -EINVAL);
    assert_int_equal(scalar(&world, "SELECT count(*) FROM pair"), 0);
    pairs.count = 1; /* the connection is as good as before */
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), 0);
    close_world(&world);
}

/* -- Lost connections -- */

static void a_commit_whose_outcome_is_unknown_says_so(void **state)
{
    (void)state;
    static const int64_t given[][2] = {{1, 1}, {2, 4000}};
    struct world world;
    open_world(&world, 2);
    corio_postgres_exec exec = exec_of(insert_sql);
    add_exec(&world, &exec);
    struct pairs pairs = {.world = &world, .pairs = given, .count = 2};
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), CORIO_POSTGRES_EUNKNOWN);
    assert_int_equal(pairs.statuses[0], CORIO_POSTGRES_EUNKNOWN);
    assert_non_null(strstr(corio_postgres_strerror(CORIO_POSTGRES_EUNKNOWN), "commit"));
    assert_int_equal(stats_of(world.exec).put_off, 0);
    close_world(&world);
}

static void an_idempotent_write_is_run_again(void **state)
{
    (void)state;
    static const int64_t given[][2] = {{1, 1}, {2, 5000}};
    struct world world;
    open_world(&world, 2);
    corio_postgres_exec exec = exec_of("INSERT INTO pair VALUES($1, $2) ON CONFLICT DO NOTHING");
    exec.idempotent = true;
    add_exec(&world, &exec);
    struct pairs pairs = {.world = &world, .pairs = given, .count = 2};
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), 0);
    assert_int_equal(stats_of(world.exec).put_off, 2);
    assert_int_equal(scalar(&world, "SELECT count(*) FROM pair"), 2);
    close_world(&world);
}

static void a_transaction_lost_before_its_commit_is_run_again(void **state)
{
    (void)state;
    static const int64_t given[][2] = {{1, 1}, {2, 2}};
    static const char *const sql[] = {"INSERT INTO pair SELECT $1::bigint, $2::bigint * die_once()",
                                      "INSERT INTO pair SELECT $1::bigint, $2::bigint * "
                                      "conflict_once()"};
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        open_world(&world, 2);
        corio_postgres_exec exec = exec_of(sql[i]);
        exec.all_or_nothing = i == 1;
        add_exec(&world, &exec);
        struct pairs pairs = {.world = &world, .pairs = given, .count = 2};
        assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), 0);
        assert_int_equal(stats_of(world.exec).put_off, 2);
        assert_int_equal(stats_of(world.exec).commits, 1);
        assert_int_equal(scalar(&world, "SELECT sum(v) FROM pair"), 3);
        close_world(&world);
    }
}

static void a_lost_read_is_asked_again(void **state)
{
    (void)state;
    static const char *const sql[] = {
        "SELECT k, v * die_once(), name FROM item WHERE k = $1",
        "SELECT k, v * conflict_once(), name FROM item WHERE k = $1",
        "SELECT k, v * die_once(), name FROM item WHERE k = ANY($1)",
        "SELECT k, v * conflict_once(), name FROM item WHERE k = ANY($1)",
    };
    for (size_t i = 0; i < 4; i++) {
        struct world world;
        open_world(&world, 2);
        corio_postgres_query query = i < 2 ? query_of(sql[i]) : folded_query(sql[i]);
        add_query(&world, &query);
        run_many(&world, spawn_readers, &world);
        corio_postgres_stats stats = stats_of(world.query);
        assert_true(stats.put_off > 0);
        assert_int_equal(stats.requests - stats.put_off, 2 * TASKS);
        close_world(&world);
    }
}

static int read_one(void *arg)
{
    struct job job = {arg, 0};
    return read_twice(&job);
}

static void an_idle_connection_that_was_cut_costs_no_try(void **state)
{
    (void)state;
    struct world world;
    open_world(&world, 1);
    corio_postgres_query query = query_of("SELECT k, v, name FROM item WHERE k = $1");
    add_query(&world, &query);
    run_many(&world, read_one, &world);
    admin_do(&world, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                     "WHERE application_name = 'corio'");
    run_many(&world, read_one, &world);
    assert_int_equal(stats_of(world.query).put_off, 0);
    assert_int_equal(stats_of(world.query).connects, 2);
    close_world(&world);
}

/* As when a pooler between the two gives us another session. */
static void a_statement_that_is_gone_is_prepared_again(void **state)
{
    (void)state;
    struct world world;
    const corio_postgres_options options = {
        .size = sizeof options, .conninfo = getenv("CORIO_POSTGRES"), .connections = 1};
    open_world_with(&world, 1, &options);
    corio_postgres_query query = query_of("SELECT k, v, name FROM item WHERE k = $1");
    corio_postgres_exec exec = {.size = sizeof exec, .request = {.sql = {"DEALLOCATE ALL"}}};
    add_query(&world, &query);
    add_exec(&world, &exec);
    run_many(&world, read_one, &world);
    struct job job = {&world, 1};
    assert_int_equal(corio_run(world.runtime, insert_one, &job), 0);
    assert_int_equal(corio_run(world.runtime, read_one, &world), -EINVAL);
    run_many(&world, read_one, &world);
    assert_int_equal(stats_of(world.query).connects, 1);
    close_world(&world);
}

static void a_server_that_stays_away_is_given_up(void **state)
{
    (void)state;
    struct world world;
    const corio_postgres_options options = {.size = sizeof options,
                                            .conninfo = getenv("CORIO_POSTGRES"),
                                            .connections = 2,
                                            .retries = 2};
    open_world_with(&world, 2, &options);
    corio_postgres_query query = query_of("SELECT k, v, name FROM item WHERE k = $1");
    corio_postgres_exec exec = exec_of(insert_sql);
    add_query(&world, &query);
    add_exec(&world, &exec);
    run_command("CORIO_POSTGRES_STOP");
    assert_int_equal(corio_run(world.runtime, read_one, &world), -ECONNREFUSED);
    assert_int_equal(stats_of(world.query).put_off, 2);
    struct job job = {&world, 1};
    assert_int_equal(corio_run(world.runtime, insert_one, &job), -ECONNREFUSED);
    run_command("CORIO_POSTGRES_START");
    run_many(&world, spawn_readers, &world);
    assert_int_equal(corio_run(world.runtime, insert_one, &job), 0);
    close_world(&world);
}

/* Tasks write one pair after the other, and read, until the server has been restarted and they have
 * seen some further answers. */
struct restart {
    struct world world;
    pthread_mutex_t lock;
    pthread_cond_t enough;
    unsigned acknowledged;
    atomic_bool restarted;
    atomic_uint unknown;
    atomic_uint wrong; /* statuses that should not be */
    char *fate;        /* of each key */
};

enum { WRITERS = 64, WRITES = 32768, BEFORE_RESTART = 2000, AFTER_RESTART = 5 };
enum { FATE_NONE, FATE_ACKNOWLEDGED, FATE_UNKNOWN };

static void note(struct restart *restart, int64_t key, int status)
{
    if (status == CORIO_POSTGRES_EUNKNOWN) {
        restart->fate[key] = FATE_UNKNOWN;
        atomic_fetch_add(&restart->unknown, 1);
    } else if (status < 0) {
        atomic_fetch_add(&restart->wrong, 1);
    } else {
        restart->fate[key] = FATE_ACKNOWLEDGED;
        pthread_mutex_lock(&restart->lock);
        if (++restart->acknowledged == BEFORE_RESTART)
            pthread_cond_signal(&restart->enough);
        pthread_mutex_unlock(&restart->lock);
    }
}

struct writer {
    struct restart *restart;
    int64_t number;
};

static int write_on(void *arg)
{
    const struct writer *writer = arg;
    struct restart *restart = writer->restart;
    int after = 0;
    for (int64_t i = 0; i < WRITES && after < AFTER_RESTART; i++) {
        const int64_t pair[2] = {writer->number * WRITES + i, 1};
        int64_t key = i % ROWS + 1;
        struct answer answer = {0};
        after += atomic_load(&restart->restarted);
        corio_request requests[2] = {
            {.dispatcher = restart->world.exec, .input = pair},
            {.dispatcher = restart->world.query, .input = &key, .output = &answer}};
        (void)corio_io_all(requests, 2);
        note(restart, pair[0], requests[0].status);
        if (requests[1].status < 0 || !is_item(&answer, key))
            atomic_fetch_add(&restart->wrong, 1);
    }
    return after == AFTER_RESTART ? 0 : -EOVERFLOW;
}

static int spawn_writers(void *arg)
{
    struct writer writer = {arg, 0};
    for (; writer.number < WRITERS; writer.number++)
        corio_go_copy(write_on, &writer, sizeof writer);
    return corio_wait();
}

static void *restart_server(void *arg)
{
    struct restart *restart = arg;
    pthread_mutex_lock(&restart->lock);
    while (restart->acknowledged < BEFORE_RESTART)
        pthread_cond_wait(&restart->enough, &restart->lock);
    pthread_mutex_unlock(&restart->lock);
    int status = system(getenv("CORIO_POSTGRES_RESTART"));
    atomic_store(&restart->restarted, true);
    return status == 0 ? arg : NULL;
}

/* What was acknowledged is there; what is there was acknowledged, or nobody knew. */
static void compare_fates(struct restart *restart)
{
    PQfinish(restart->world.admin);
    connect_admin(&restart->world);
    PGresult *result = PQexec(restart->world.admin, "SELECT k FROM pair");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    unsigned acknowledged = 0;
    for (int row = 0; row < PQntuples(result); row++) {
        char *fate = &restart->fate[corio_postgres_int64(result, row, 0)];
        assert_true(*fate == FATE_ACKNOWLEDGED || *fate == FATE_UNKNOWN);
        acknowledged += *fate == FATE_ACKNOWLEDGED;
        *fate = FATE_NONE;
    }
    PQclear(result);
    assert_int_equal(acknowledged, restart->acknowledged);
    for (size_t i = 0; i < WRITERS * WRITES; i++)
        assert_int_not_equal(restart->fate[i], FATE_ACKNOWLEDGED);
}

static void a_restart_loses_nothing_acknowledged(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct restart restart;
        memset(&restart, 0, sizeof restart);
        const corio_postgres_options options = {.size = sizeof options,
                                                .conninfo = getenv("CORIO_POSTGRES"),
                                                .connections = connection_counts[i]};
        open_world_with(&restart.world, worker_counts[i], &options);
        pthread_mutex_init(&restart.lock, NULL);
        pthread_cond_init(&restart.enough, NULL);
        restart.fate = calloc(WRITERS, WRITES);
        corio_postgres_query query = query_of("SELECT k, v, name FROM item WHERE k = $1");
        corio_postgres_exec exec = exec_of(insert_sql);
        add_query(&restart.world, &query);
        add_exec(&restart.world, &exec);
        pthread_t thread;
        void *done;
        assert_int_equal(pthread_create(&thread, NULL, restart_server, &restart), 0);
        run_many(&restart.world, spawn_writers, &restart);
        pthread_join(thread, &done);
        assert_non_null(done);
        assert_int_equal(restart.wrong, 0);
        assert_true(stats_of(restart.world.exec).put_off + stats_of(restart.world.query).put_off +
                        restart.unknown >
                    0);
        compare_fates(&restart);
        print_message("           %u acknowledged, %u unknown, %u put off\n", restart.acknowledged,
                      restart.unknown, (unsigned)stats_of(restart.world.exec).put_off);
        free(restart.fate);
        close_world(&restart.world);
    }
}

/* -- Time and size -- */

static int sleep_and_read(void *arg)
{
    struct world *world = arg;
    int64_t keys[2] = {3600, 0};
    struct answer answers[2] = {{0}, {0}};
    corio_request requests[2];
    for (int i = 0; i < 2; i++)
        requests[i] =
            (corio_request){.dispatcher = world->query, .input = &keys[i], .output = &answers[i]};
    (void)corio_io_all(requests, 2);
    corio_postgres_free(answers[0].memory);
    corio_postgres_free(answers[1].memory);
    if (requests[0].status != -ETIMEDOUT)
        return -EBADMSG;
    return requests[1].status;
}

static void the_server_ends_a_statement_in_time(void **state)
{
    (void)state;
    struct world world;
    const corio_postgres_options options = {.size = sizeof options,
                                            .conninfo = getenv("CORIO_POSTGRES"),
                                            .connections = 1,
                                            .statement_timeout_ms = 500};
    open_world_with(&world, 1, &options);
    corio_postgres_query query = query_of("SELECT 1, 1, 'slept' FROM pg_sleep($1::bigint)");
    add_query(&world, &query);
    run_many(&world, sleep_and_read, &world);
    assert_int_equal(stats_of(world.query).connects, 1);
    close_world(&world);
}

static void a_silent_server_is_left_in_time(void **state)
{
    (void)state;
    struct world world;
    const corio_postgres_options options = {.size = sizeof options,
                                            .conninfo = getenv("CORIO_POSTGRES"),
                                            .connections = 1,
                                            .batch_timeout_ms = 2000};
    open_world_with(&world, 1, &options);
    corio_postgres_query query = query_of("SELECT 1, 1, 'slept' FROM pg_sleep($1::bigint)");
    corio_postgres_exec exec = exec_of("SELECT pg_sleep($1), $2::bigint");
    add_query(&world, &query);
    add_exec(&world, &exec);
    assert_int_equal(corio_run(world.runtime, sleep_and_read, &world), -ETIMEDOUT);
    static const int64_t given[][2] = {{3600, 1}};
    struct pairs pairs = {.world = &world, .pairs = given, .count = 1};
    assert_int_equal(corio_run(world.runtime, write_pairs, &pairs), -ETIMEDOUT);
    assert_int_equal(stats_of(world.query).connects, 2);
    admin_do(&world, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                     "WHERE application_name = 'corio'");
    close_world(&world);
}

enum { LARGE = 200000 };

static int bind_large(void *self, corio_postgres_params *params, const void *input)
{
    (void)input;
    return corio_postgres_bind_bytes(params, 1, self, LARGE);
}

static int take_length(void *self, corio_postgres_memory *memory, const PGresult *result, int row,
                       void *output)
{
    (void)self;
    (void)memory;
    ((struct answer *)output)->value = PQgetlength(result, row, 0);
    return 0;
}

static int read_large(void *arg)
{
    const struct job *job = arg;
    struct answer answer = {0};
    int rc = corio_io(job->world->query, &job->number, &answer);
    corio_postgres_free(answer.memory);
    return rc < 0 ? rc : answer.value == LARGE ? 0 : -EBADMSG;
}

static int spawn_large(void *arg)
{
    struct job job = {arg, 0};
    for (; job.number < 200; job.number++)
        corio_go_copy(read_large, &job, sizeof job);
    return corio_wait();
}

/* More than the sockets hold goes both ways at once: neither side may wait for the other to take
 * all. */
static void large_values_flow_both_ways(void **state)
{
    (void)state;
    struct world world;
    const corio_postgres_options options = {
        .size = sizeof options, .conninfo = getenv("CORIO_POSTGRES"), .connections = 1};
    char *text = malloc(LARGE);
    memset(text, 'x', LARGE);
    open_world_with(&world, 2, &options);
    corio_postgres_query query = query_of("SELECT $1::text");
    query.request.bind = bind_large;
    query.request.row = take_length;
    query.request.self = text;
    add_query(&world, &query);
    run_many(&world, spawn_large, &world);
    close_world(&world);
    free(text);
}

/* -- Recordings -- */

static int save_answer(void *self, const void *output, corio_sink *sink)
{
    (void)self;
    const struct answer *answer = output;
    int rc = corio_sink_write(sink, answer, sizeof *answer);
    return rc == 0 && answer->text ? corio_sink_write(sink, answer->text, strlen(answer->text))
                                   : rc;
}

static int restore_answer(void *self, corio_postgres_memory *memory, const void *bytes,
                          size_t count, void *output)
{
    (void)self;
    struct answer *answer = output, saved;
    if (count < sizeof saved)
        return -EBADMSG;
    memcpy(&saved, bytes, sizeof saved);
    size_t length = count - sizeof saved;
    char *text = corio_postgres_alloc(memory, length + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text, (const char *)bytes + sizeof saved, length);
    text[length] = '\0';
    answer->value = saved.value;
    answer->rows = saved.rows;
    answer->text = text;
    return 0;
}

struct taped {
    struct world world;
    corio_dispatcher *results;
};

static int ask_of_all_kinds(void *arg)
{
    struct taped *taped = arg;
    struct world *world = &taped->world;
    for (int64_t key = 1; key < 6; key++) {
        struct answer answer = {0};
        PGresult *result = NULL;
        corio_request requests[] = {
            {.dispatcher = world->query, .input = &key, .output = &answer},
            {.dispatcher = taped->results, .input = &key, .output = &result},
            {.dispatcher = world->exec, .input = &key},
        };
        int rc = corio_io_all(requests, 3);
        bool good = is_item(&answer, key);
        good = good && rc == (key == 3 ? -EDOM : 0) && requests[2].status == rc;
        good = good && PQntuples(result) == 2 && PQnfields(result) == 3 &&
               strcmp(PQfname(result, 2), "word") == 0 && PQgetisnull(result, 1, 1) &&
               corio_postgres_int64(result, 1, 0) == key + 1 && PQftype(result, 0) == 20 &&
               strcmp(PQgetvalue(result, 0, 2), "a word") == 0 &&
               PQresultStatus(result) == PGRES_TUPLES_OK;
        PQclear(result);
        if (!good)
            return -EBADMSG;
    }
    struct answer answer = {0};
    int rc = corio_io(world->query, &(int64_t){-7}, &answer); /* refused by bind */
    return rc == -ERANGE && !answer.memory ? 0 : -EBADMSG;
}

static void run_taped(bool replay, const char *path)
{
    struct taped taped;
    struct world *world = &taped.world;
    const corio_postgres_options options = {.size = sizeof options,
                                            .conninfo =
                                                replay ? "host=/nowhere" : getenv("CORIO_POSTGRES"),
                                            .connections = 2,
                                            .offline = replay};
    setenv(replay ? "CORIO_REPLAY" : "CORIO_RECORD", path, 1);
    open_world_with(world, 2, &options);
    unsetenv(replay ? "CORIO_REPLAY" : "CORIO_RECORD");
    corio_postgres_query query = query_of("SELECT k, v, name FROM item WHERE k = $1");
    assert_int_equal(
        corio_postgres_add_query(world->database, world->runtime, &query, &world->query), -ENOTSUP);
    query.save = save_answer;
    query.restore = restore_answer;
    add_query(world, &query);
    corio_postgres_query whole =
        query_of("SELECT $1::bigint + i, CASE WHEN i = 0 THEN 0 END, 'a word' AS word"
                 " FROM generate_series(0, 1) i");
    whole.request.row = NULL;
    whole.request.with_memory = false;
    whole.request.output_bytes = sizeof(PGresult *);
    assert_int_equal(
        corio_postgres_add_query(world->database, world->runtime, &whole, &taped.results), 0);
    const corio_postgres_exec exec = {
        .size = sizeof exec,
        .request = {.sql = {"INSERT INTO pair VALUES($1, 1 / ($1::bigint - 3) + 9)"},
                    .input_bytes = sizeof(int64_t),
                    .bind = bind_key}};
    assert_int_equal(corio_postgres_add_exec(world->database, world->runtime, &exec, &world->exec),
                     0);
    run_many(world, ask_of_all_kinds, &taped);
    assert_int_equal(stats_of(world->query).requests == 0, replay);
    close_world(world);
}

static void a_replay_needs_no_server(void **state)
{
    (void)state;
    char path[] = "/tmp/corio-postgres-XXXXXX";
    close(mkstemp(path));
    run_taped(false, path);
    run_taped(true, path);
    unlink(path);
    corio_postgres *database;
    corio_runtime *runtime;
    corio_dispatcher *dispatcher;
    const corio_postgres_options options = {.size = sizeof options, .offline = true};
    const corio_postgres_query query = query_of("SELECT 1");
    assert_int_equal(corio_postgres_open(&options, &database), 0);
    assert_int_equal(corio_runtime_create(NULL, &runtime), 0);
    assert_int_equal(corio_postgres_add_query(database, runtime, &query, &dispatcher), -ENOTCONN);
    corio_runtime_destroy(runtime);
    corio_postgres_close(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_of_ten_thousand_tasks_are_answered),
        cmocka_unit_test(limits_cut_batches),
        cmocka_unit_test(a_result_is_given_to_its_task),
        cmocka_unit_test(an_error_reaches_its_request_only),
        cmocka_unit_test(wrong_sql_is_refused_when_added),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(opened_may_refuse),
        cmocka_unit_test(folding_asks_each_key_once),
        cmocka_unit_test(text_keys_are_folded),
        cmocka_unit_test(a_bad_key_is_found_in_its_array),
        cmocka_unit_test(a_row_with_a_strange_key_is_an_error),
        cmocka_unit_test(a_batch_is_one_transaction),
        cmocka_unit_test(max_batch_bounds_a_transaction),
        cmocka_unit_test(a_failed_write_leaves_its_neighbours_alone),
        cmocka_unit_test(all_or_nothing_rolls_back),
        cmocka_unit_test(a_rejected_row_is_undone),
        cmocka_unit_test(a_request_chooses_its_statement),
        cmocka_unit_test(an_error_at_commit_is_everybodys),
        cmocka_unit_test(a_commit_whose_outcome_is_unknown_says_so),
        cmocka_unit_test(an_idempotent_write_is_run_again),
        cmocka_unit_test(a_transaction_lost_before_its_commit_is_run_again),
        cmocka_unit_test(a_lost_read_is_asked_again),
        cmocka_unit_test(an_idle_connection_that_was_cut_costs_no_try),
        cmocka_unit_test(a_statement_that_is_gone_is_prepared_again),
        cmocka_unit_test(a_server_that_stays_away_is_given_up),
        cmocka_unit_test(a_restart_loses_nothing_acknowledged),
        cmocka_unit_test(the_server_ends_a_statement_in_time),
        cmocka_unit_test(a_silent_server_is_left_in_time),
        cmocka_unit_test(large_values_flow_both_ways),
        cmocka_unit_test(a_replay_needs_no_server),
    };
    if (!getenv("CORIO_POSTGRES"))
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
