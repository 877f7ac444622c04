/* SPDX-License-Identifier: MIT
 *
 * test_sqlite.c - the SQLite dispatchers: equal requests, errors, transactions, locks, memory of
 * answers.
 */
#include <corio.h>
#include <corio/sqlite.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROWS = 100 };

/* A database of its own for each test: t(k, v) with v = 10 k, for k from 0 on. */
struct world {
    char directory[64];
    char path[96];
    corio_sqlite *database;
    corio_runtime *runtime;
    corio_dispatcher *query;
    corio_dispatcher *exec;
    atomic_uint asked; /* calls of the SQL function counted() */
    int failures;
};

static void counted(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct world *world = sqlite3_user_data(context);
    atomic_fetch_add(&world->asked, 1);
    sqlite3_result_value(context, values[0]);
}

static int opened(void *self, sqlite3 *connection)
{
    static const char sql[] =
        "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v INTEGER CHECK(v >= 0));"
        "WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k < 99)"
        "INSERT OR IGNORE INTO t SELECT k, 10 * k FROM n;";
    sqlite3_create_function(connection, "counted", 1, SQLITE_UTF8, self, counted, NULL, NULL);
    sqlite3_exec(connection, sql, NULL, NULL, NULL); /* a reader is refused, and need not */
    return 0;
}

static int bind_key(void *self, sqlite3_stmt *statement, const void *input)
{
    (void)self;
    int64_t key = *(const int64_t *)input;
    if (key == -7)
        return -EDOM;
    return corio_sqlite_error(sqlite3_bind_int64(statement, 1, key));
}

struct answer {
    int64_t value;
    int rows;
    const char *text;
};

static int take_row(void *self, corio_sqlite_memory *memory, sqlite3_stmt *statement, void *output)
{
    (void)self;
    struct answer *answer = output;
    answer->rows++;
    answer->value = sqlite3_column_int64(statement, 1);
    char *text = corio_sqlite_alloc(memory, 32);
    if (!text)
        return -ENOMEM;
    snprintf(text, 32, "v=%lld", (long long)answer->value);
    answer->text = text;
    return 0;
}

static int bind_pair(void *self, sqlite3_stmt *statement, const void *input)
{
    (void)self;
    const int64_t *pair = input;
    sqlite3_bind_int64(statement, 1, pair[0]);
    return corio_sqlite_error(sqlite3_bind_int64(statement, 2, pair[1]));
}

static void add_query(struct world *world, size_t remember_bytes, bool singly)
{
    const corio_sqlite_query query = {
        .size = sizeof query,
        .sql = "SELECT counted(k), v FROM t WHERE k = ?1",
        .input_bytes = sizeof(int64_t),
        .output_bytes = sizeof(struct answer),
        .bind = bind_key,
        .row = take_row,
        .singly = singly,
        .remember_bytes = remember_bytes,
    };
    assert_int_equal(corio_sqlite_add_query(world->database, world->runtime, &query, &world->query),
                     0);
}

static void add_exec(struct world *world, bool all_or_nothing)
{
    const corio_sqlite_exec exec = {
        .size = sizeof exec,
        .sql = {"INSERT INTO t VALUES(?1, ?2)"},
        .input_bytes = 2 * sizeof(int64_t),
        .bind = bind_pair,
        .all_or_nothing = all_or_nothing,
    };
    assert_int_equal(corio_sqlite_add_exec(world->database, world->runtime, &exec, &world->exec),
                     0);
}

static void open_database(struct world *world, unsigned busy_retries)
{
    const corio_sqlite_options options = {.size = sizeof options,
                                          .path = world->path,
                                          .readers = 3,
                                          .busy_timeout_ms = 5,
                                          .busy_retries = busy_retries,
                                          .opened = opened,
                                          .self = world};
    assert_int_equal(corio_sqlite_open(&options, &world->database), 0);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    strcpy(world->directory, "/tmp/corio-sqlite-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    snprintf(world->path, sizeof world->path, "%s/db", world->directory);
    open_database(world, 2);
    corio_options runtime = CORIO_OPTIONS_INIT;
    runtime.workers = 2;
    runtime.wait_mode = CORIO_WAIT_STRICT;
    assert_int_equal(corio_runtime_create(&runtime, &world->runtime), 0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    corio_runtime_destroy(world->runtime);
    corio_sqlite_close(world->database);
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", world->path, ends[i]);
        unlink(path);
    }
    rmdir(world->directory);
    free(world);
    return 0;
}

static corio_sqlite_stats stats_of(const corio_dispatcher *dispatcher)
{
    corio_sqlite_stats stats = {.size = sizeof stats};
    assert_int_equal(corio_sqlite_dispatcher_stats(dispatcher, &stats), 0);
    return stats;
}

static int64_t scalar(struct world *world, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(
        sqlite3_prepare_v2(corio_sqlite_writer(world->database), sql, -1, &statement, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

/* -- Queries -- */

struct asking {
    struct world *world;
    int64_t first;
};

/* Asks for 50 keys from `first` on, wrapped at ROWS, all at once. */
static int ask_fifty(void *arg)
{
    const struct asking *asking = arg;
    corio_request requests[50];
    int64_t keys[50];
    struct answer answers[50];
    memset(requests, 0, sizeof requests);
    for (int i = 0; i < 50; i++) {
        keys[i] = (asking->first + i) % ROWS;
        requests[i] = (corio_request){
            .dispatcher = asking->world->query, .input = &keys[i], .output = &answers[i]};
    }
    int rc = corio_io_all(requests, 50);
    for (int i = 0; i < 50; i++) {
        char text[32];
        snprintf(text, sizeof text, "v=%lld", (long long)(10 * keys[i]));
        if (answers[i].rows != 1 || answers[i].value != 10 * keys[i] ||
            strcmp(answers[i].text, text) != 0)
            rc = -EBADMSG;
    }
    return rc;
}

static int ask_from_many(void *arg)
{
    for (int64_t i = 0; i < 200; i++) {
        struct asking asking = {arg, i};
        corio_go_copy(ask_fifty, &asking, sizeof asking);
    }
    return corio_wait();
}

static void equal_requests_of_a_batch_are_asked_once(void **state)
{
    struct world *world = *state;
    add_query(world, 0, false);
    assert_int_equal(corio_run(world->runtime, ask_from_many, world), 0);
    corio_sqlite_stats stats = stats_of(world->query);
    assert_int_equal(stats.batches, 1);
    assert_int_equal(stats.requests, 200 * 50);
    assert_int_equal(stats.unique, ROWS);
    assert_int_equal(stats.statements, ROWS);
    assert_int_equal(world->asked, ROWS);
    assert_true(stats.transactions <= 3);
}

static void singly_asks_each_request(void **state)
{
    struct world *world = *state;
    add_query(world, 0, true);
    assert_int_equal(corio_run(world->runtime, ask_from_many, world), 0);
    assert_int_equal(world->asked, 200 * 50);
    assert_int_equal(stats_of(world->query).statements, 200 * 50);
}

static int ask_three_times(void *arg)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = ask_from_many(arg);
    return rc;
}

static void remembered_answers_are_not_asked_again(void **state)
{
    struct world *world = *state;
    add_query(world, 1 << 20, false);
    assert_int_equal(corio_run(world->runtime, ask_three_times, world), 0);
    assert_int_equal(world->asked, ROWS);
    corio_sqlite_stats stats = stats_of(world->query);
    assert_int_equal(stats.unique, 3 * ROWS);
    assert_int_equal(stats.remembered, 2 * ROWS);
}

static void a_commit_makes_it_forget(void **state)
{
    struct world *world = *state;
    add_query(world, 1 << 20, false);
    assert_int_equal(corio_run(world->runtime, ask_from_many, world), 0);
    assert_int_equal(sqlite3_exec(corio_sqlite_writer(world->database),
                                  "INSERT INTO t VALUES(1000, 0)", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(corio_run(world->runtime, ask_from_many, world), 0);
    assert_int_equal(world->asked, 2 * ROWS);
}

static void used_up_memory_makes_it_forget(void **state)
{
    struct world *world = *state;
    add_query(world, 1, false);
    assert_int_equal(corio_run(world->runtime, ask_three_times, world), 0);
    assert_true(world->asked >= 2 * ROWS);
}

/* -- Answers that wait for others of the same call -- */

static bool is_right(const struct answer *answer, int64_t key);

struct two_questions {
    struct world *world;
    corio_dispatcher *slow;
    atomic_bool enough;
};

/* Not yet, not yet: in the next batch. */
static int put_off(void *self, corio_batch *batch)
{
    struct two_questions *both = self;
    for (size_t i = 0; i < corio_batch_len(batch); i++) {
        if (atomic_load(&both->enough))
            corio_batch_respond(batch, i);
        else
            corio_batch_retry(batch, i, 0);
    }
    return CORIO_DONE;
}

static int ask_both(void *arg)
{
    struct two_questions *both = arg;
    int64_t key = 3;
    struct answer answer;
    corio_request requests[2] = {
        {.dispatcher = both->world->query, .input = &key, .output = &answer},
        {.dispatcher = both->slow}};
    int rc = corio_io_all(requests, 2);
    return rc == 0 && !is_right(&answer, key) ? -EBADMSG : rc;
}

static int ask_on_meanwhile(void *arg)
{
    struct two_questions *both = arg;
    int rc = corio_go(ask_both, both);
    for (int64_t key = 10; rc == 0 && key < 40; key++) {
        struct answer answer;
        rc = corio_io(both->world->query, &key, &answer);
        if (rc == 0 && !is_right(&answer, key))
            rc = -EBADMSG;
    }
    atomic_store(&both->enough, true);
    int child = corio_wait();
    return rc != 0 ? rc : child;
}

/* The memory of an answer stays until the task that has it goes on, however long that takes. */
static void answer_outlives_the_wait_for_another(void **state)
{
    struct world *world = *state;
    for (size_t remember = 0; remember < 2; remember++) {
        struct two_questions both = {.world = world};
        corio_dispatcher_options options = {
            .size = sizeof options, .name = "slow", .dispatch = put_off, .self = &both};
        add_query(world, remember, false); /* 1 byte: forgotten with each batch */
        assert_int_equal(corio_dispatcher_add(world->runtime, &options, &both.slow), 0);
        assert_int_equal(corio_run(world->runtime, ask_on_meanwhile, &both), 0);
    }
}

/* -- Looking before asking -- */

static int recall_key(struct world *world, int64_t key, struct answer *answer)
{
    return corio_sqlite_recall(world->query, &key, answer);
}

static bool is_right(const struct answer *answer, int64_t key)
{
    char text[32];
    snprintf(text, sizeof text, "v=%lld", (long long)(10 * key));
    return answer->rows == 1 && answer->value == 10 * key && strcmp(answer->text, text) == 0;
}

static int ask_then_recall(void *arg)
{
    struct world *world = arg;
    struct asking asking = {world, 0};
    struct answer answer;
    if (recall_key(world, 7, &answer) != -ENOENT)
        return -EBADMSG;
    int rc = ask_fifty(&asking);
    for (int64_t key = 0; rc == 0 && key < 50; key++)
        if (recall_key(world, key, &answer) != 0 || !is_right(&answer, key))
            rc = -EBADMSG;
    return rc == 0 && recall_key(world, 50, &answer) != -ENOENT ? -EBADMSG : rc;
}

/* Of the keys 25 to 74 the first half has been asked for. */
static int ask_then_recall_many(void *arg)
{
    struct world *world = arg;
    struct asking asking = {world, 0};
    struct answer answers[50];
    int64_t keys[50];
    bool found[50];
    int rc = ask_fifty(&asking);
    for (int i = 0; i < 50; i++)
        keys[i] = 25 + i;
    if (rc == 0 && corio_sqlite_recall_many(world->query, keys, answers, 50, found) != 25)
        rc = -EBADMSG;
    for (int i = 0; i < 50; i++)
        if (found[i] != (i < 25) || (found[i] && !is_right(&answers[i], keys[i])))
            rc = -EBADMSG;
    return rc;
}

static void many_are_found_at_once(void **state)
{
    struct world *world = *state;
    add_query(world, 1 << 20, false);
    assert_int_equal(corio_run(world->runtime, ask_then_recall_many, world), 0);
    assert_int_equal(corio_sqlite_recall_many(world->query, NULL, NULL, 0, NULL), 0);
}

static void what_is_remembered_is_found_without_a_batch(void **state)
{
    struct world *world = *state;
    add_query(world, 1 << 20, false);
    assert_int_equal(corio_run(world->runtime, ask_then_recall, world), 0);
    assert_int_equal(stats_of(world->query).batches, 1);
    assert_int_equal(world->asked, 50);
}

static int ask_one(struct world *world, int64_t key)
{
    struct answer answer;
    int rc = corio_io(world->query, &key, &answer);
    return rc == 0 && answer.rows > 0 && !is_right(&answer, key) ? -EBADMSG : rc;
}

static int change_then_recall(void *arg)
{
    struct world *world = arg;
    struct answer answer;
    int64_t pair[2] = {2000, 20000};
    int rc = ask_one(world, 2000);
    if (rc == 0 && (recall_key(world, 2000, &answer) != 0 || answer.rows != 0))
        rc = -EBADMSG;
    if (rc == 0)
        rc = corio_io(world->exec, pair, NULL);
    if (rc == 0 && recall_key(world, 2000, &answer) != -ENOENT)
        rc = -EBADMSG;
    if (rc == 0)
        rc = ask_one(world, 2000);
    if (rc == 0 && (recall_key(world, 2000, &answer) != 0 || !is_right(&answer, 2000)))
        rc = -EBADMSG;
    return rc;
}

static void nothing_is_found_after_an_own_commit(void **state)
{
    struct world *world = *state;
    add_query(world, 1 << 20, false);
    add_exec(world, false);
    assert_int_equal(corio_run(world->runtime, change_then_recall, world), 0);
}

static int recall_after_a_foreign_commit(void *arg)
{
    struct world *world = arg;
    struct answer answer;
    int rc = ask_one(world, 1);
    if (sqlite3_exec(corio_sqlite_writer(world->database), "UPDATE t SET v = 11 WHERE k = 1", NULL,
                     NULL, NULL) != SQLITE_OK)
        return -EIO;
    if (rc == 0)
        rc = ask_one(world, 2);
    return rc == 0 && recall_key(world, 1, &answer) != -ENOENT ? -EBADMSG : rc;
}

static void a_foreign_commit_is_noticed_by_the_next_batch(void **state)
{
    struct world *world = *state;
    add_query(world, 1 << 20, false);
    assert_int_equal(corio_run(world->runtime, recall_after_a_foreign_commit, world), 0);
}

static void only_a_query_that_remembers_can_be_looked_into(void **state)
{
    struct world *world = *state;
    struct answer answer;
    int64_t key = 1;
    add_query(world, 0, false);
    add_exec(world, false);
    assert_int_equal(corio_run(world->runtime, ask_from_many, world), 0);
    assert_int_equal(recall_key(world, 1, &answer), -ENOENT);
    assert_int_equal(corio_sqlite_recall(world->exec, &key, &answer), -EINVAL);
    assert_int_equal(corio_sqlite_recall(NULL, &key, &answer), -EINVAL);
    assert_int_equal(corio_sqlite_recall(world->query, NULL, &answer), -EINVAL);
}

/* Goes through all keys from `first` on, asking only for what is not remembered. */
static int go_through_keys(void *arg)
{
    const struct asking *asking = arg;
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < ROWS; i++) {
        int64_t key = (asking->first + i) % ROWS;
        struct answer answer;
        if (recall_key(asking->world, key, &answer) != 0)
            rc = corio_io(asking->world->query, &key, &answer);
        if (rc == 0 && !is_right(&answer, key))
            rc = -EBADMSG;
    }
    return rc;
}

static int go_from_everywhere(void *arg)
{
    for (int64_t i = 0; i < 300; i++) {
        struct asking asking = {arg, 7 * i % ROWS};
        corio_go_copy(go_through_keys, &asking, sizeof asking);
    }
    return corio_wait();
}

/* Streaming: answers are kept by I/O threads while tasks look. Now and then all is dropped. */
static void tasks_may_look_while_answers_are_kept(void **state)
{
    struct world *world = *state;
    assert_int_equal(corio_runtime_destroy(world->runtime), 0);
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = 3;
    assert_int_equal(corio_runtime_create(&options, &world->runtime), 0);
    add_query(world, 30000, false);
    for (int i = 0; i < 5; i++)
        assert_int_equal(corio_run(world->runtime, go_from_everywhere, world), 0);
    assert_true(world->asked >= ROWS);
}

static int ask_bad_and_good(void *arg)
{
    struct world *world = arg;
    int64_t keys[3] = {5, -7, 1000};
    struct answer answers[3];
    corio_request requests[3];
    for (int i = 0; i < 3; i++)
        requests[i] =
            (corio_request){.dispatcher = world->query, .input = &keys[i], .output = &answers[i]};
    int rc = corio_io_all(requests, 3);
    bool good = requests[0].status == 0 && answers[0].value == 50 && requests[1].status == -EDOM &&
                requests[2].status == 0 && answers[2].rows == 0;
    return good ? rc : -EBADMSG;
}

static void an_error_reaches_its_request_only(void **state)
{
    struct world *world = *state;
    add_query(world, 0, false);
    assert_int_equal(corio_run(world->runtime, ask_bad_and_good, world), -EDOM);
}

static void bad_sql_is_refused(void **state)
{
    struct world *world = *state;
    static const char *const refused[] = {"SELECT nothing FROM nowhere", "DELETE FROM t", ""};
    for (size_t i = 0; i < 3; i++) {
        const corio_sqlite_query query = {
            .size = sizeof query, .sql = refused[i], .bind = bind_key, .row = take_row};
        assert_int_equal(
            corio_sqlite_add_query(world->database, world->runtime, &query, &world->query),
            -EINVAL);
    }
    char text[64];
    assert_true(corio_sqlite_message(world->database, text, sizeof text) > 0);
}

/* -- Writes -- */

static int insert_pairs(struct world *world, const int64_t (*pairs)[2], int count, int *ret_status)
{
    corio_request requests[16];
    for (int i = 0; i < count; i++)
        requests[i] = (corio_request){.dispatcher = world->exec, .input = pairs[i]};
    int rc = corio_io_all(requests, (size_t)count);
    for (int i = 0; i < count; i++)
        ret_status[i] = requests[i].status;
    return rc;
}

static int insert_two_new_one_old(void *arg)
{
    static const int64_t pairs[3][2] = {{1000, 1}, {5, 1}, {1001, 1}};
    int status[3];
    int rc = insert_pairs(arg, pairs, 3, status);
    ((struct world *)arg)->failures = (status[0] != 0) + (status[1] != 0) + (status[2] != 0);
    return rc;
}

static void a_batch_is_one_transaction(void **state)
{
    struct world *world = *state;
    add_exec(world, false);
    assert_int_equal(corio_run(world->runtime, insert_two_new_one_old, world), -EEXIST);
    assert_int_equal(world->failures, 1);
    assert_int_equal(scalar(world, "SELECT count(*) FROM t"), ROWS + 2);
    corio_sqlite_stats stats = stats_of(world->exec);
    assert_int_equal(stats.transactions, 1);
    assert_int_equal(stats.requests, 3);
}

static void all_or_nothing_rolls_back(void **state)
{
    struct world *world = *state;
    add_exec(world, true);
    corio_run(world->runtime, insert_two_new_one_old, world);
    assert_int_equal(world->failures, 3);
    assert_int_equal(scalar(world, "SELECT count(*) FROM t"), ROWS);
}

static int execute_both(void *self, sqlite3_stmt *const *statements, const void *input,
                        void *output)
{
    (void)self;
    const int64_t *pair = input;
    bind_pair(NULL, statements[0], pair);
    int rc = corio_sqlite_step(statements[0]);
    if (rc < 0)
        return rc;
    sqlite3_bind_int64(statements[1], 1, pair[1]);
    *(int64_t *)output = pair[0];
    return corio_sqlite_step(statements[1]);
}

static int insert_and_change(void *arg)
{
    struct world *world = arg;
    static const int64_t pairs[2][2] = {{1000, 3}, {1001, 200}};
    int64_t outputs[2];
    corio_request requests[2];
    for (int i = 0; i < 2; i++)
        requests[i] =
            (corio_request){.dispatcher = world->exec, .input = pairs[i], .output = &outputs[i]};
    corio_io_all(requests, 2);
    return requests[0].status == 0 && outputs[0] == 1000 && requests[1].status == -EEXIST
               ? 0
               : -EBADMSG;
}

static void a_failed_request_is_undone_by_itself(void **state)
{
    struct world *world = *state;
    const corio_sqlite_exec exec = {
        .size = sizeof exec,
        .sql = {"INSERT INTO t VALUES(?1, ?2)", "UPDATE t SET v = 100 - ?1 WHERE k = 0"},
        .input_bytes = 2 * sizeof(int64_t),
        .output_bytes = sizeof(int64_t),
        .execute = execute_both,
    };
    assert_int_equal(corio_sqlite_add_exec(world->database, world->runtime, &exec, &world->exec),
                     0);
    assert_int_equal(corio_run(world->runtime, insert_and_change, world), 0);
    assert_int_equal(scalar(world, "SELECT count(*) FROM t WHERE k >= 1000"), 1);
    assert_int_equal(scalar(world, "SELECT v FROM t WHERE k = 0"), 97);
}

static int insert_one(void *arg)
{
    int64_t pair[2] = {*(int64_t *)arg, 1};
    struct world *world = *(struct world **)((char *)arg + sizeof(int64_t));
    return corio_io(world->exec, pair, NULL);
}

static int insert_many(void *arg)
{
    for (int64_t i = 0; i < 500; i++) {
        struct {
            int64_t key;
            struct world *world;
        } argument = {1000 + i, arg};
        corio_go_copy(insert_one, &argument, sizeof argument);
    }
    return corio_wait();
}

static void max_batch_bounds_a_transaction(void **state)
{
    struct world *world = *state;
    const corio_sqlite_exec exec = {
        .size = sizeof exec,
        .sql = {"INSERT INTO t VALUES(?1, ?2)"},
        .input_bytes = 2 * sizeof(int64_t),
        .bind = bind_pair,
        .max_batch = 100,
    };
    assert_int_equal(corio_sqlite_add_exec(world->database, world->runtime, &exec, &world->exec),
                     0);
    assert_int_equal(corio_run(world->runtime, insert_many, world), 0);
    assert_int_equal(stats_of(world->exec).transactions, 5);
    assert_int_equal(scalar(world, "SELECT count(*) FROM t"), ROWS + 500);
}

static void a_full_database_fails_the_whole_batch(void **state)
{
    struct world *world = *state;
    add_exec(world, false);
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %d",
             (int)scalar(world, "PRAGMA page_count"));
    assert_int_equal(sqlite3_exec(corio_sqlite_writer(world->database), sql, NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(corio_run(world->runtime, insert_many, world), -ENOSPC);
    assert_int_equal(scalar(world, "SELECT count(*) FROM t"), ROWS);
    assert_int_equal(sqlite3_get_autocommit(corio_sqlite_writer(world->database)), 1);
}

/* The first batch holds the writer until two more, of later phases, wait for it. */
struct meeting {
    struct world *world;
    sem_t begun, all_here;
    bool held;
    int bad; /* result of the second batch's request */
    int results[3];
};

static int execute_meeting(void *self, sqlite3_stmt *const *statements, const void *input,
                           void *output)
{
    (void)output;
    struct meeting *meeting = self;
    const int64_t *pair = input;
    if (!meeting->held) { /* the first, which is alone */
        meeting->held = true;
        sem_post(&meeting->begun);
        sem_wait(&meeting->all_here);
    }
    int rc = bind_pair(NULL, statements[0], input);
    if (rc == 0)
        rc = corio_sqlite_step(statements[0]);
    return pair[1] == 1 && meeting->bad ? meeting->bad : rc;
}

struct guest {
    struct meeting *meeting;
    int64_t number;
};

/* As many phases as its number says, then a request; the last only says that all are here. */
static int come(void *arg)
{
    const struct guest *guest = arg;
    struct meeting *meeting = guest->meeting;
    struct answer answer;
    int64_t key = 1, pair[2] = {2000 + guest->number, guest->number};
    for (int64_t i = 0; i < guest->number; i++) {
        int rc = corio_io(meeting->world->query, &key, &answer);
        if (rc < 0)
            return rc;
    }
    if (guest->number == 1)
        sem_wait(&meeting->begun); /* blocks this phase until an I/O thread has begun */
    if (guest->number < 3)
        meeting->results[guest->number] = corio_io(meeting->world->exec, pair, NULL);
    else
        sem_post(&meeting->all_here);
    return 0;
}

static int meet(void *arg)
{
    for (int64_t i = 0; i < 4; i++) {
        struct guest guest = {arg, i};
        corio_go_copy(come, &guest, sizeof guest);
    }
    return corio_wait();
}

/* Returns the figures. Batches: 0 first, then 1 and 2 while it is at work. */
static corio_sqlite_stats run_meeting(struct meeting *meeting, bool all_or_nothing,
                                      size_t max_batch)
{
    struct world *world = meeting->world;
    corio_options options = CORIO_OPTIONS_INIT;
    options.workers = 2;
    corio_runtime_destroy(world->runtime);
    assert_int_equal(corio_runtime_create(&options, &world->runtime), 0);
    add_query(world, 0, false);
    const corio_sqlite_exec exec = {
        .size = sizeof exec,
        .sql = {"INSERT INTO t VALUES(?1, ?2)"},
        .input_bytes = 2 * sizeof(int64_t),
        .execute = execute_meeting,
        .self = meeting,
        .all_or_nothing = all_or_nothing,
        .max_batch = max_batch,
    };
    assert_int_equal(corio_sqlite_add_exec(world->database, world->runtime, &exec, &world->exec),
                     0);
    meeting->held = false;
    sem_init(&meeting->begun, 0, 0);
    sem_init(&meeting->all_here, 0, 0);
    assert_int_equal(corio_run(world->runtime, meet, meeting), 0);
    sem_destroy(&meeting->begun);
    sem_destroy(&meeting->all_here);
    corio_sqlite_stats stats = stats_of(world->exec);
    assert_int_equal(stats.batches, 3);
    assert_int_equal(stats.requests, 3);
    return stats;
}

static void batches_that_wait_are_committed_together(void **state)
{
    struct meeting meeting = {.world = *state};
    assert_int_equal(run_meeting(&meeting, false, 0).transactions, 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(meeting.results[i], 0);
    assert_int_equal(scalar(meeting.world, "SELECT count(*) FROM t WHERE k >= 2000"), 3);
}

static void batches_that_must_not_meet_do_not(void **state)
{
    struct meeting meeting = {.world = *state};
    assert_int_equal(run_meeting(&meeting, true, 0).transactions, 3);
    assert_int_equal(sqlite3_exec(corio_sqlite_writer(meeting.world->database),
                                  "DELETE FROM t WHERE k >= 2000", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(run_meeting(&meeting, false, 1).transactions, 3);
}

static void an_error_of_a_batch_is_not_that_of_those_that_met_it(void **state)
{
    struct meeting meeting = {.world = *state, .bad = -EIO}; /* which ends a transaction */
    assert_int_equal(run_meeting(&meeting, false, 0).transactions, 3);
    assert_int_equal(meeting.results[0], 0);
    assert_int_equal(meeting.results[1], -EIO);
    assert_int_equal(meeting.results[2], 0);
    assert_int_equal(scalar(meeting.world, "SELECT sum(k) FROM t WHERE k >= 2000"), 4002);
}

/* -- Locks -- */

static sqlite3 *lock_database(const struct world *world)
{
    sqlite3 *other;
    assert_int_equal(sqlite3_open(world->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return other;
}

static void a_lock_that_stays_ends_in_busy(void **state)
{
    struct world *world = *state;
    add_exec(world, false);
    sqlite3 *other = lock_database(world);
    assert_int_equal(corio_run(world->runtime, insert_two_new_one_old, world), -EBUSY);
    assert_true(stats_of(world->exec).busy >= 3); /* more, if they do not come back together */
    sqlite3_close(other);
    assert_int_equal(scalar(world, "SELECT count(*) FROM t"), ROWS);
}

struct lock {
    struct world *world;
    sqlite3 *holder;
};

static void *unlock_when_it_is_met(void *arg)
{
    const struct lock *lock = arg;
    while (stats_of(lock->world->exec).busy == 0)
        usleep(1000);
    sqlite3_exec(lock->holder, "ROLLBACK", NULL, NULL, NULL);
    return NULL;
}

static void a_lock_that_goes_is_waited_for(void **state)
{
    struct world *world = *state;
    corio_sqlite_close(world->database);
    open_database(world, 20); /* more than enough: each waits for longer */
    add_exec(world, false);
    struct lock lock = {world, lock_database(world)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, unlock_when_it_is_met, &lock), 0);
    assert_int_equal(corio_run(world->runtime, insert_two_new_one_old, world), -EEXIST);
    pthread_join(thread, NULL);
    sqlite3_close(lock.holder);
    assert_int_equal(scalar(world, "SELECT count(*) FROM t"), ROWS + 2);
}

static void bad_files_and_options_are_refused(void **state)
{
    struct world *world = *state;
    corio_sqlite *database;
    char path[128];
    snprintf(path, sizeof path, "%s/absent/db", world->directory);
    corio_sqlite_options options = {.size = sizeof options, .path = path};
    assert_int_equal(corio_sqlite_open(&options, &database), -ENOENT);
    options.path = "/etc/passwd";
    options.read_only = true;
    assert_int_equal(corio_sqlite_open(&options, &database), -EUCLEAN);
    options.readers = 65;
    assert_int_equal(corio_sqlite_open(&options, &database), -EINVAL);
    assert_int_equal(corio_sqlite_open(NULL, &database), -EINVAL);
    corio_sqlite_close(NULL);
}

/* -- Recordings -- */

static int save_answer(void *self, const void *output, corio_sink *sink)
{
    (void)self;
    const struct answer *answer = output;
    int rc = corio_sink_write(sink, answer, offsetof(struct answer, text));
    return rc == 0 && answer->text ? corio_sink_write(sink, answer->text, strlen(answer->text))
                                   : rc;
}

static int restore_answer(void *self, corio_sqlite_memory *memory, const void *bytes, size_t count,
                          void *output)
{
    (void)self;
    const size_t fixed = offsetof(struct answer, text);
    struct answer *answer = output;
    if (count < fixed)
        return -EBADMSG;
    memcpy(answer, bytes, fixed);
    char *text = corio_sqlite_alloc(memory, count - fixed + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text, (const char *)bytes + fixed, count - fixed);
    text[count - fixed] = '\0';
    answer->text = text;
    return 0;
}

/* A value, its neighbour's, and a note of both; then once more, which is an error of that note. */
static int read_and_write(void *arg)
{
    const struct asking *asking = arg;
    struct world *world = asking->world;
    int64_t key = asking->first;
    for (int round = 0; round < 5; round++, key += 7) {
        int64_t keys[2] = {key % ROWS, (key + 1) % ROWS};
        int64_t pair[2] = {1000 + asking->first * 10 + round / 2 * 2, 5};
        struct answer answers[2] = {{0}, {0}};
        corio_request requests[] = {
            {.dispatcher = world->query, .input = &keys[0], .output = &answers[0]},
            {.dispatcher = world->exec, .input = pair},
            {.dispatcher = world->query, .input = &keys[1], .output = &answers[1]},
        };
        struct answer known;
        if (corio_sqlite_recall(world->query, &keys[0], &known) != -ENOENT)
            return -EBADMSG; /* it is not recorded, so it must not be there */
        int rc = corio_io_all(requests, 3);
        if (rc != (round % 2 ? -EEXIST : 0) || requests[1].status != rc)
            return -EBADMSG;
        for (int i = 0; i < 2; i++) {
            char text[32];
            snprintf(text, sizeof text, "v=%lld", (long long)(10 * keys[i]));
            if (answers[i].value != 10 * keys[i] || answers[i].rows != 1 ||
                strcmp(answers[i].text, text) != 0)
                return -EBADMSG;
        }
    }
    return 0;
}

static int read_and_write_much(void *arg)
{
    for (int i = 0; i < 30; i++)
        corio_go_copy(read_and_write, (&(struct asking){arg, i}), sizeof(struct asking));
    return corio_wait();
}

/* A runtime beside the world's. */
static corio_runtime *taped(struct world *world, bool replay, const char *path, bool hooks)
{
    corio_options with = CORIO_OPTIONS_INIT;
    corio_runtime *runtime;
    with.workers = 2;
    *(replay ? &with.replay : &with.record) = path;
    assert_int_equal(corio_runtime_create(&with, &runtime), 0);
    const corio_sqlite_query query = {
        .size = sizeof query,
        .sql = "SELECT counted(k), v FROM t WHERE k = ?1",
        .input_bytes = sizeof(int64_t),
        .output_bytes = sizeof(struct answer),
        .bind = bind_key,
        .row = take_row,
        .remember_bytes = 1 << 20,
        .save = hooks ? save_answer : NULL,
        .restore = hooks ? restore_answer : NULL,
    };
    assert_int_equal(corio_sqlite_add_query(world->database, runtime, &query, &world->query), 0);
    corio_runtime *own = world->runtime;
    world->runtime = runtime;
    add_exec(world, false);
    world->runtime = own;
    return runtime;
}

static void a_replay_needs_no_database(void **state)
{
    struct world *world = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/recording", world->directory);
    corio_runtime *runtime = taped(world, false, path, true);
    assert_int_equal(corio_run(runtime, read_and_write_much, world), 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    assert_int_equal(scalar(world, "SELECT count(*) FROM t"), ROWS + 90);

    corio_sqlite *online = world->database;
    const corio_sqlite_options options = {
        .size = sizeof options, .path = "/nowhere/db", .offline = true};
    assert_int_equal(corio_sqlite_open(&options, &world->database), 0);
    assert_null(corio_sqlite_writer(world->database));
    runtime = taped(world, true, path, true);
    assert_int_equal(corio_run(runtime, read_and_write_much, world), 0);
    assert_int_equal(stats_of(world->query).requests, 0);
    assert_int_equal(corio_runtime_destroy(runtime), 0);
    const corio_sqlite_exec exec = {
        .size = sizeof exec, .sql = {"DELETE FROM t"}, .bind = bind_pair};
    assert_int_equal(corio_sqlite_add_exec(world->database, world->runtime, &exec, &world->exec),
                     -ENOTCONN);
    corio_sqlite_close(world->database);
    world->database = online;
    assert_int_equal(scalar(world, "SELECT count(*) FROM t"), ROWS + 90);
    unlink(path);
}

static void an_answer_that_points_is_not_recorded_as_it_is(void **state)
{
    struct world *world = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/recording", world->directory);
    corio_runtime *runtime = taped(world, false, path, false);
    assert_int_equal(corio_run(runtime, read_and_write_much, world), 0);
    assert_int_equal(corio_runtime_destroy(runtime), -ENOTSUP);
    unlink(path);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(equal_requests_of_a_batch_are_asked_once),
        WORLD_TEST(singly_asks_each_request),
        WORLD_TEST(remembered_answers_are_not_asked_again),
        WORLD_TEST(a_commit_makes_it_forget),
        WORLD_TEST(used_up_memory_makes_it_forget),
        WORLD_TEST(answer_outlives_the_wait_for_another),
        WORLD_TEST(what_is_remembered_is_found_without_a_batch),
        WORLD_TEST(many_are_found_at_once),
        WORLD_TEST(nothing_is_found_after_an_own_commit),
        WORLD_TEST(a_foreign_commit_is_noticed_by_the_next_batch),
        WORLD_TEST(only_a_query_that_remembers_can_be_looked_into),
        WORLD_TEST(tasks_may_look_while_answers_are_kept),
        WORLD_TEST(an_error_reaches_its_request_only),
        WORLD_TEST(bad_sql_is_refused),
        WORLD_TEST(a_batch_is_one_transaction),
        WORLD_TEST(all_or_nothing_rolls_back),
        WORLD_TEST(a_failed_request_is_undone_by_itself),
        WORLD_TEST(max_batch_bounds_a_transaction),
        WORLD_TEST(a_full_database_fails_the_whole_batch),
        WORLD_TEST(batches_that_wait_are_committed_together),
        WORLD_TEST(batches_that_must_not_meet_do_not),
        WORLD_TEST(an_error_of_a_batch_is_not_that_of_those_that_met_it),
        WORLD_TEST(a_lock_that_stays_ends_in_busy),
        WORLD_TEST(a_lock_that_goes_is_waited_for),
        WORLD_TEST(bad_files_and_options_are_refused),
        WORLD_TEST(a_replay_needs_no_database),
        WORLD_TEST(an_answer_that_points_is_not_recorded_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
