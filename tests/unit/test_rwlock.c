/* SPDX-License-Identifier: MIT
 *
 * Read/write locks: exclusion, fairness, giving up, misuse.
 */
#include "harness.h"

static corio_rwlock lock;
static corio_dispatcher *dispatcher;
static unsigned readers, writers, most_readers;
static unsigned long counter;

static void set_up(corio_runtime *runtime)
{
    dispatcher = add_dispatcher(runtime, answer_all);
    lock = (corio_rwlock)CORIO_RWLOCK_INIT;
    readers = writers = most_readers = 0;
    counter = 0;
}

/* By now everybody waits who has to. */
static int let_all_wait(void)
{
    return corio_io(dispatcher, NULL, NULL);
}

/* -- exclusion -- */

static int read_and_write(void *arg)
{
    unsigned number = *(unsigned *)arg;
    for (unsigned i = 0; i < 12; i++) {
        bool with_io = (number + i) % 7 == 0;
        if ((number + i) % 4 == 0) {
            CHECK(corio_rwlock_write(&lock) == 0);
            CHECK(ADD(writers) == 1 && READ(readers) == 0);
            unsigned long seen = counter;
            CHECK(!with_io || corio_io(dispatcher, NULL, NULL) == 0);
            counter = seen + 1;
            __atomic_sub_fetch(&writers, 1, __ATOMIC_RELAXED);
        } else {
            CHECK(corio_rwlock_read(&lock) == 0);
            raise_to(&most_readers, ADD(readers));
            unsigned long seen = counter;
            CHECK(!with_io || corio_io(dispatcher, NULL, NULL) == 0);
            CHECK(READ(writers) == 0 && counter == seen);
            __atomic_sub_fetch(&readers, 1, __ATOMIC_RELAXED);
        }
        CHECK(corio_rwlock_unlock(&lock) == 0);
    }
    return 0;
}

static int many(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 400; i++)
        CHECK(corio_go_copy(read_and_write, &i, sizeof i) == 0);
    return corio_wait();
}

static void one_writes_or_many_read(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, many, NULL), 0);
        assert_int_equal(counter, 400 * 3);
        assert_true(most_readers > 1);
        assert_int_equal(corio_rwlock_destroy(&lock), 0);
    }
}

/* -- fairness: in the order of arrival, readers side by side together -- */

static int order[16], order_count;

/* 'r' or 'w' */
static int queue_up(void *arg)
{
    bool to_write = *(char *)arg == 'w';
    CHECK((to_write ? corio_rwlock_write(&lock) : corio_rwlock_read(&lock)) == 0);
    int at = __atomic_fetch_add(&order_count, 1, __ATOMIC_RELAXED);
    order[at] = *(char *)arg;
    CHECK(let_all_wait() == 0);
    return corio_rwlock_unlock(&lock);
}

static int queue_all(void *arg)
{
    (void)arg;
    CHECK(corio_rwlock_read(&lock) == 0);
    CHECK(corio_rwlock_try_read(&lock) == 0 && corio_rwlock_unlock(&lock) == 0);
    for (const char *kind = "wrrwwrr"; *kind != '\0'; kind++) {
        CHECK(corio_go_copy(queue_up, kind, 1) == 0);
        CHECK(let_all_wait() == 0);
        CHECK(corio_rwlock_try_read(&lock) == -EBUSY); /* a writer waits */
    }
    CHECK(corio_rwlock_wait_count(&lock) == 7);
    CHECK(corio_rwlock_unlock(&lock) == 0);
    CHECK(corio_rwlock_try_write(&lock) == -EBUSY); /* handed over */
    /* Phase by phase; when this task looks, the next may have it already. */
    static const int counts[] = {1, 3, 4, 5, 7, 7};
    for (int i = 0; i < 5; i++) {
        CHECK(let_all_wait() == 0);
        int seen = READ(order_count);
        CHECK(seen >= counts[i] && seen <= counts[i + 1]);
    }
    return corio_wait();
}

static void waiting_writer_stops_new_readers(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        order_count = 0;
        assert_int_equal(corio_run(runtime, queue_all, NULL), 0);
        for (int i = 0; i < 7; i++)
            assert_int_equal(order[i], "wrrwwrr"[i]);
    }
}

/* -- giving up lets those behind go on -- */

static int write_for_a_while(void *arg)
{
    int rc = *(bool *)arg ? corio_rwlock_write(&lock)
                          : corio_rwlock_write_until(&lock, corio_now_ns() + 2000000);
    CHECK(rc == (*(bool *)arg ? -ECANCELED : -ETIMEDOUT));
    return *(bool *)arg ? rc : 0;
}

static int read_behind(void *arg)
{
    (void)arg;
    CHECK(corio_rwlock_read(&lock) == 0);
    ADD(readers);
    return corio_rwlock_unlock(&lock);
}

static int writer_gives_up(void *arg)
{
    bool cancelled = *(bool *)arg;
    corio_group *group;
    CHECK(corio_rwlock_read(&lock) == 0);
    CHECK(corio_group_open(NULL, &group) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(corio_group_go(group, write_for_a_while, arg) == 0);
    if (cancelled)
        CHECK(let_all_wait() == 0);
    for (int i = 0; i < 5; i++)
        CHECK(corio_go(read_behind, NULL) == 0);
    if (cancelled) {
        CHECK(let_all_wait() == 0);
        CHECK(READ(readers) == 0 && corio_rwlock_wait_count(&lock) == 7);
        CHECK(corio_group_cancel(group, -EINTR) == 0);
    }
    CHECK(corio_group_close(group) == (cancelled ? -EINTR : 0));
    CHECK(corio_wait() == 0 && READ(readers) == 5);
    CHECK(corio_rwlock_unlock(&lock) == 0);
    return corio_rwlock_destroy(&lock);
}

static void giving_up_lets_those_behind_go_on(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int cancelled = 0; cancelled < 2; cancelled++) {
            bool how = cancelled;
            set_up(runtime);
            assert_int_equal(corio_run(runtime, writer_gives_up, &how), 0);
        }
    }
}

/* -- misuse -- */

static int unlock_foreign(void *arg)
{
    (void)arg;
    CHECK(corio_rwlock_unlock(&lock) == -EPERM);
    CHECK(corio_rwlock_try_read(&lock) == -EBUSY && corio_rwlock_try_write(&lock) == -EBUSY);
    return 0;
}

static int wait_for_writer(void *arg)
{
    (void)arg;
    return corio_rwlock_read(&lock) == -EDEADLK ? 0 : -EBADMSG;
}

static int misuse(void *arg)
{
    CHECK(corio_rwlock_unlock(&lock) == -EPERM);
    CHECK(corio_rwlock_read(NULL) == -EINVAL && corio_rwlock_write(NULL) == -EINVAL);
    CHECK(corio_rwlock_unlock(NULL) == -EINVAL && corio_rwlock_try_write(NULL) == -EINVAL);
    CHECK(corio_rwlock_write_until(&lock, 1) == 0); /* free: no need to wait */
    CHECK(corio_rwlock_write(&lock) == -EDEADLK && corio_rwlock_read(&lock) == -EDEADLK);
    CHECK(corio_go(unlock_foreign, NULL) == 0 && corio_wait() == 0);
    CHECK(corio_rwlock_destroy(&lock) == -EBUSY);
    CHECK(corio_go(wait_for_writer, NULL) == 0 && corio_wait() == 0);
    CHECK(strstr(corio_runtime_report(arg), "task wait_for_writer (1) waits in corio_rwlock_read"));
    CHECK(strstr(corio_runtime_report(arg), ", held by misuse ()"));
    CHECK(corio_rwlock_unlock(&lock) == 0);
    CHECK(corio_rwlock_unlock(&lock) == -EPERM);
    CHECK(corio_rwlock_read(&lock) == 0);
    CHECK(corio_rwlock_write(&lock) == -EDEADLK); /* no upgrade */
    CHECK(strstr(corio_runtime_report(arg), "task misuse () waits in corio_rwlock_write for"));
    CHECK(!strstr(corio_runtime_report(arg), "held by"));
    CHECK(corio_rwlock_read_until(&lock, 1) == 0);
    CHECK(corio_rwlock_unlock(&lock) == 0 && corio_rwlock_unlock(&lock) == 0);
    return corio_rwlock_unlock(&lock) == -EPERM ? 0 : -EBADMSG;
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime);
        assert_int_equal(corio_run(runtime, misuse, runtime), 0);
    }
    assert_int_equal(corio_rwlock_read(&lock), -EPERM);
    assert_int_equal(corio_rwlock_write(&lock), -EPERM);
    assert_int_equal(corio_rwlock_unlock(&lock), -EPERM);
    assert_int_equal(corio_rwlock_destroy(NULL), -EINVAL);
    assert_int_equal(corio_rwlock_wait_count(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_writes_or_many_read),
        cmocka_unit_test(waiting_writer_stops_new_readers),
        cmocka_unit_test(giving_up_lets_those_behind_go_on),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
