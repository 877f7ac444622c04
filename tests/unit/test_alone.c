/* SPDX-License-Identifier: MIT
 *
 * Whether a resume is the leader's alone: what is chosen after which times. The times are given.
 */
#include "harness.h"

#include "runtime/sched/alone.h"

enum { tasks = 1000 };

/* A resume and its phase, which takes so long one way or the other. Whether the leader was alone. */
static bool resume(cr_alone *alone, size_t count, uint64_t shared_ns, uint64_t alone_ns)
{
    bool chosen = cr_alone_choose(alone, count) != 0;
    cr_alone_measure(alone, chosen ? alone_ns : shared_ns);
    return chosen;
}

/* Of so many resumes, how many are the leader's alone. */
static unsigned chosen_of(cr_alone *alone, unsigned resumes, uint64_t shared_ns, uint64_t alone_ns)
{
    unsigned chosen = 0;
    for (unsigned i = 0; i < resumes; i++)
        chosen += resume(alone, tasks, shared_ns, alone_ns);
    return chosen;
}

static void both_ways_are_tried_at_first(void **state)
{
    (void)state;
    cr_alone alone = {0};
    assert_false(resume(&alone, tasks, 50000, 30000));
    assert_true(resume(&alone, tasks, 50000, 30000));
}

static void the_faster_way_is_taken(void **state)
{
    (void)state;
    cr_alone tiny = {0}, heavy = {0};
    assert_in_range(chosen_of(&tiny, 1000, 50000, 30000), 950, 999);
    assert_in_range(chosen_of(&heavy, 1000, 50000, 90000), 1, 50);
}

static void the_slower_way_is_tried_ever_more_rarely(void **state)
{
    (void)state;
    cr_alone alone = {0};
    chosen_of(&alone, 100, 50000, 90000);
    unsigned first = chosen_of(&alone, 1000, 50000, 90000);
    chosen_of(&alone, 10000, 50000, 90000);
    unsigned later = chosen_of(&alone, 10000, 50000, 90000);
    assert_in_range(first, 1, 30);
    assert_in_range(later, 1, 10);
}

static void a_change_is_noticed(void **state)
{
    (void)state;
    cr_alone alone = {0};
    chosen_of(&alone, 1000, 50000, 90000);
    chosen_of(&alone, 3000, 90000, 30000);
    assert_in_range(chosen_of(&alone, 100, 90000, 30000), 90, 100);
    chosen_of(&alone, 3000, 50000, 90000);
    assert_in_range(chosen_of(&alone, 100, 50000, 90000), 0, 10);
}

/* One that is ten times as long, as when a processor was taken away. */
static void a_single_long_phase_changes_nothing(void **state)
{
    (void)state;
    cr_alone alone = {0};
    chosen_of(&alone, 100, 50000, 30000);
    (void)resume(&alone, tasks, 500000, 300000);
    assert_in_range(chosen_of(&alone, 10, 50000, 30000), 9, 10);
}

static void long_phases_are_always_shared(void **state)
{
    (void)state;
    cr_alone alone = {0};
    assert_int_equal(chosen_of(&alone, 1000, 1000000, 900000), 0);
    assert_int_equal(cr_alone_choose(&alone, 1000000), 0);
    cr_alone_measure(&alone, 1); /* of so many tasks nothing is kept */
    assert_int_equal(cr_alone_choose(&alone, 1000000), 0);
}

static void the_others_stay_out_for_four_times_the_time(void **state)
{
    (void)state;
    cr_alone alone = {0};
    (void)resume(&alone, 1024, 50000, 0);
    uint64_t stay_out_ns = cr_alone_choose(&alone, 1024);
    assert_in_range(stay_out_ns, 200000, 210000);
}

static void sizes_are_told_apart(void **state)
{
    (void)state;
    cr_alone alone = {0};
    for (unsigned i = 0; i < 100; i++) {
        (void)resume(&alone, 100, 9000, 3000);
        (void)resume(&alone, 8000, 90000, 150000);
    }
    assert_true(resume(&alone, 100, 9000, 3000));
    assert_false(resume(&alone, 8000, 90000, 150000));
}

/* A phase that no resume began, as the first of a run. */
static void other_phases_are_not_measured(void **state)
{
    (void)state;
    cr_alone alone = {0};
    chosen_of(&alone, 100, 50000, 30000);
    cr_alone before = alone;
    cr_alone_measure(&alone, 1000000000);
    assert_memory_equal(&alone, &before, sizeof alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_are_tried_at_first),
        cmocka_unit_test(the_faster_way_is_taken),
        cmocka_unit_test(the_slower_way_is_tried_ever_more_rarely),
        cmocka_unit_test(a_change_is_noticed),
        cmocka_unit_test(a_single_long_phase_changes_nothing),
        cmocka_unit_test(long_phases_are_always_shared),
        cmocka_unit_test(the_others_stay_out_for_four_times_the_time),
        cmocka_unit_test(sizes_are_told_apart),
        cmocka_unit_test(other_phases_are_not_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
