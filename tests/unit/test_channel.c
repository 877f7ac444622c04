/* SPDX-License-Identifier: MIT
 *
 * Channels and select: everything sent is received once and in order, closing, giving up, misuse.
 */
#include "harness.h"

enum { most_channels = 4, most_senders = 16 };

static corio_channel *channels[most_channels];
static corio_dispatcher *dispatcher;
static unsigned passed;

static void set_up(corio_runtime *runtime, int count, size_t element_bytes, size_t capacity)
{
    dispatcher = add_dispatcher(runtime, answer_all);
    for (int i = 0; i < count; i++)
        assert_int_equal(corio_channel_create(element_bytes, capacity, &channels[i]), 0);
    passed = 0;
}

static void tear_down(int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(corio_channel_destroy(channels[i]), 0);
}

/* By now everybody waits who has to. */
static int let_all_wait(void)
{
    return corio_io(dispatcher, NULL, NULL);
}

/* -- Conservation: numbered elements of many senders, over one channel or several -- */

typedef struct element {
    uint32_t sender;
    uint32_t number;
    uint64_t check; /* of both: an element is never torn */
} element;

typedef struct stress {
    int channels;
    uint32_t senders, receivers;
    uint32_t each; /* elements per sender */
    bool selects;  /* senders and receivers use all channels at once */
    uint32_t open; /* senders at work */
    uint32_t received[most_senders];
} stress;

static stress now;

static element made(uint32_t sender, uint32_t number)
{
    return (element){sender, number, ((uint64_t)sender << 32 | number) * 0x9e3779b97f4a7c15u};
}

static int send_one(const element *what)
{
    corio_select_case cases[most_channels];
    if (!now.selects)
        return corio_channel_send(channels[what->sender % (unsigned)now.channels], what);
    for (int i = 0; i < now.channels; i++)
        cases[i] = corio_select_send(channels[i], what);
    int chosen = corio_select(cases, (size_t)now.channels);
    return chosen < 0 ? chosen : cases[chosen].result;
}

static int send_many(void *arg)
{
    uint32_t sender = *(uint32_t *)arg;
    for (uint32_t i = 0; i < now.each; i++) {
        element next = made(sender, i);
        CHECK(send_one(&next) == 0);
        if (i % 64 == 63)
            CHECK(let_all_wait() == 0);
    }
    if (__atomic_sub_fetch(&now.open, 1, __ATOMIC_ACQ_REL) == 0)
        for (int i = 0; i < now.channels; i++)
            CHECK(corio_channel_close(channels[i], 0) == 0);
    return 0;
}

/* CORIO_ECLOSED: everything has been received. */
static int recv_one(uint32_t receiver, element *what, corio_select_case *cases)
{
    if (!now.selects)
        return corio_channel_recv(channels[receiver % (unsigned)now.channels], what);
    for (;;) {
        int chosen = corio_select(cases, (size_t)now.channels);
        if (chosen < 0 || cases[chosen].result == 0)
            return chosen < 0 ? chosen : 0;
        cases[chosen].channel = NULL; /* closed: one less */
        bool any = false;
        for (int i = 0; i < now.channels; i++)
            any |= cases[i].channel != NULL;
        if (!any)
            return CORIO_ECLOSED;
    }
}

static int recv_many(void *arg)
{
    uint32_t receiver = *(uint32_t *)arg;
    int64_t last[most_senders];
    element got;
    corio_select_case cases[most_channels];
    for (int i = 0; i < most_senders; i++)
        last[i] = -1;
    for (int i = 0; i < now.channels; i++)
        cases[i] = corio_select_recv(channels[i], &got);
    int rc;
    while ((rc = recv_one(receiver, &got, cases)) == 0) {
        CHECK(got.sender < now.senders && got.check == made(got.sender, got.number).check);
        /* In the sender's order. Not with select on several channels: they are several queues. */
        CHECK(now.selects || (int64_t)got.number > last[got.sender]);
        last[got.sender] = got.number;
        ADD(now.received[got.sender]);
    }
    CHECK(rc == CORIO_ECLOSED);
    return 0;
}

static int stress_channels(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < now.receivers; i++)
        CHECK(corio_go_copy(recv_many, &i, sizeof i) == 0);
    for (uint32_t i = 0; i < now.senders; i++)
        CHECK(corio_go_copy(send_many, &i, sizeof i) == 0);
    return corio_wait();
}

static void conserve(corio_runtime *runtime, stress what, size_t capacity)
{
    now = what;
    now.open = now.senders;
    set_up(runtime, now.channels, sizeof(element), capacity);
    assert_int_equal(corio_run(runtime, stress_channels, NULL), 0);
    for (uint32_t i = 0; i < now.senders; i++)
        assert_int_equal(now.received[i], now.each);
    tear_down(now.channels);
}

static const size_t capacities[] = {0, 1, 3, 64};

static void everything_sent_is_received_once_in_order(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int i = 0; i < 4; i++) {
            conserve(runtime, (stress){.channels = 1, .senders = 1, .receivers = 1, .each = 5000},
                     capacities[i]);
            conserve(runtime, (stress){.channels = 2, .senders = 16, .receivers = 4, .each = 1500},
                     capacities[i]);
        }
    }
}

static void selects_on_both_sides_lose_nothing(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int i = 0; i < 4; i++) {
            stress what = {
                .channels = 4, .senders = 16, .receivers = 8, .each = 1000, .selects = true};
            conserve(runtime, what, capacities[i]);
        }
    }
}

/* -- Order among waiters, rendezvous -- */

static int order[8], order_count;

static int recv_in_turn(void *arg)
{
    int got;
    CHECK(corio_channel_recv(channels[0], &got) == 0);
    CHECK(got == *(int *)arg);
    return 0;
}

static int send_in_turn(void *arg)
{
    CHECK(corio_channel_send(channels[0], arg) == 0);
    order[order_count++] = *(int *)arg;
    return 0;
}

static int in_turn(void *arg)
{
    (void)arg;
    for (int i = 0; i < 8; i++) { /* receivers wait in this order, and get elements in it */
        CHECK(corio_go_copy(recv_in_turn, &i, sizeof i) == 0);
        CHECK(let_all_wait() == 0);
    }
    for (int i = 0; i < 8; i++)
        CHECK(corio_channel_try_send(channels[0], &i) == 0);
    CHECK(corio_channel_try_send(channels[0], &order_count) == -EBUSY); /* nobody waits any more */
    CHECK(corio_wait() == 0);
    for (int i = 0; i < 8; i++) { /* so do senders */
        CHECK(corio_go_copy(send_in_turn, &i, sizeof i) == 0);
        CHECK(let_all_wait() == 0);
    }
    for (int i = 0; i < 8; i++) {
        int got = -1;
        CHECK(order_count == i && corio_channel_length(channels[0]) == 0);
        CHECK(corio_channel_try_recv(channels[0], &got) == 0 && got == i);
        CHECK(let_all_wait() == 0);
    }
    CHECK(corio_channel_try_recv(channels[0], &order_count) == -EBUSY);
    return corio_wait();
}

static void waiters_are_served_in_order(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 1, sizeof(int), 0);
        order_count = 0;
        assert_int_equal(corio_run(runtime, in_turn, NULL), 0);
        assert_int_equal(order_count, 8);
        tear_down(1);
    }
}

/* -- Closing -- */

static int ends_with(void *arg)
{
    int got = 0, code = *(int *)arg;
    CHECK(corio_channel_recv(channels[0], &got) == code);
    ADD(passed);
    return 0;
}

static int send_refused(void *arg)
{
    int mine = 7;
    CHECK(corio_channel_send(channels[1], &mine) == *(int *)arg);
    ADD(passed);
    return 0;
}

static int close_both(void *arg)
{
    int given = *(int *)arg, code = given != 0 ? given : CORIO_ECLOSED, got;
    for (int i = 0; i < 5; i++)
        CHECK(corio_go_copy(ends_with, &code, sizeof code) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(corio_channel_send(channels[1], &i) == 0); /* it is full now */
    for (int i = 0; i < 5; i++)
        CHECK(corio_go_copy(send_refused, &code, sizeof code) == 0);
    CHECK(let_all_wait() == 0);
    CHECK(corio_channel_destroy(channels[0]) == -EBUSY);
    CHECK(corio_channel_close(channels[0], 1) == -EINVAL);
    for (int i = 0; i < 2; i++)
        CHECK(corio_channel_close(channels[i], given) == 0);
    CHECK(corio_wait() == 0 && READ(passed) == 10);
    CHECK(corio_channel_close(channels[0], -EIO) == -EALREADY);
    CHECK(corio_channel_send(channels[1], &given) == code);
    CHECK(corio_channel_length(channels[1]) == 3);
    for (int i = 0; i < 3; i++)
        CHECK(corio_channel_recv(channels[1], &got) == 0 && got == i);
    CHECK(corio_channel_recv(channels[1], &got) == code);
    CHECK(corio_channel_try_recv(channels[1], &got) == code);
    return 0;
}

static void closed_channel_is_drained_and_then_says_its_code(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        for (int code = 0; code >= -5; code -= 5) {
            set_up(runtime, 2, sizeof(int), 3);
            assert_int_equal(corio_run(runtime, close_both, &code), 0);
            tear_down(2);
        }
    }
}

/* -- Select: which case -- */

static int choose_first(void *arg)
{
    (void)arg;
    int sent[4] = {10, 11, 12, 13}, got[4] = {0};
    corio_select_case cases[5] = {
        corio_select_recv(channels[0], &got[0]), corio_select_recv(NULL, &got[1]),
        corio_select_recv(channels[1], &got[1]), corio_select_send(channels[2], &sent[2]),
        corio_select_send(channels[2], &sent[3])};
    CHECK(corio_select_try(cases, 3) == -EBUSY);
    CHECK(corio_select_until(cases, 3, 1) == -ETIMEDOUT);
    CHECK(corio_select(cases, 5) == 3 && cases[3].result == 0); /* ready first: there is room */
    CHECK(corio_select_try(cases, 5) == -EBUSY);                /* no more */
    CHECK(corio_channel_send(channels[1], &sent[1]) == 0);
    CHECK(corio_channel_send(channels[0], &sent[0]) == 0);
    CHECK(corio_select(cases, 5) == 0 && got[0] == 10); /* both are: the first in the order given */
    CHECK(corio_select(cases, 5) == 2 && got[1] == 11);
    CHECK(corio_channel_recv(channels[2], &got[2]) == 0 && got[2] == 12);
    CHECK(corio_select(cases, 5) == 3);
    CHECK(corio_channel_close(channels[1], -EIO) == 0);
    CHECK(corio_select(cases, 5) == 2 && cases[2].result == -EIO);
    CHECK(corio_select(NULL, 0) == -EDEADLK);
    CHECK(corio_select_until(&cases[1], 1, corio_now_ns() + 1000000) == -ETIMEDOUT);
    return 0;
}

static void first_ready_case_is_chosen(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 3, sizeof(int), 1);
        assert_int_equal(corio_run(runtime, choose_first, NULL), 0);
        tear_down(3);
    }
}

/* A select that waits on several is done once, and is gone from the others. */
static int select_any(void *arg)
{
    int got = -1;
    (void)arg;
    corio_select_case cases[4];
    for (int i = 0; i < 3; i++)
        cases[i] = corio_select_recv(channels[i], &got);
    cases[3] = corio_select_send(channels[3], &got);
    int chosen = corio_select(cases, 4);
    CHECK(chosen >= 0 && chosen < 3 && cases[chosen].result == 0 && got == 40 + chosen);
    ADD(passed);
    return 0;
}

static int wake_selects(void *arg)
{
    (void)arg;
    for (int round = 0; round < 30; round++) {
        CHECK(corio_go(select_any, NULL) == 0);
        CHECK(corio_go(select_any, NULL) == 0);
        CHECK(let_all_wait() == 0);
        int value = 40 + round % 3, next = 40 + (round + 1) % 3;
        CHECK(corio_channel_try_send(channels[round % 3], &value) == 0);
        CHECK(corio_channel_try_send(channels[(round + 1) % 3], &next) == 0);
        CHECK(corio_channel_try_send(channels[(round + 2) % 3], &next) == -EBUSY);
        CHECK(corio_channel_try_recv(channels[3], &value) == -EBUSY);
        CHECK(corio_wait() == 0);
    }
    return READ(passed) == 60 ? 0 : -EBADMSG;
}

static void waiting_select_does_one_case(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 4, sizeof(int), 0);
        assert_int_equal(corio_run(runtime, wake_selects, NULL), 0);
        tear_down(4);
    }
}

/* Both directions of one channel: never with itself. */
static int select_itself(void *arg)
{
    int sent = 1, got = 0;
    (void)arg;
    corio_select_case cases[] = {corio_select_send(channels[0], &sent),
                                 corio_select_recv(channels[0], &got)};
    int chosen = corio_select(cases, 2);
    CHECK(chosen >= 0 && cases[chosen].result == 0 && got == chosen);
    return 0;
}

static int select_in_pairs(void *arg)
{
    for (int i = 0; i < 100; i++)
        CHECK(corio_go(select_itself, arg) == 0);
    CHECK(corio_wait() == 0);
    CHECK(corio_go(select_itself, arg) == 0);
    CHECK(let_all_wait() == 0);
    int got = 0;
    CHECK(corio_channel_recv(channels[0], &got) == 0 && got == 1);
    return corio_wait();
}

static void select_never_meets_itself(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 1, sizeof(int), 0);
        assert_int_equal(corio_run(runtime, select_in_pairs, NULL), 0);
        tear_down(1);
    }
}

/* -- Giving up: nothing is sent or received by it -- */

static int recv_cancelled(void *arg)
{
    int got = 0;
    (void)arg;
    corio_select_case cases[] = {corio_select_recv(channels[0], &got),
                                 corio_select_send(channels[1], &got)};
    CHECK(corio_select(cases, 2) == -ECANCELED);
    CHECK(corio_channel_recv(channels[0], &got) == -ECANCELED);
    ADD(passed);
    return -ECANCELED;
}

static int send_cancelled(void *arg)
{
    int rc = corio_channel_send(channels[2], arg);
    CHECK(rc == -ECANCELED);
    ADD(passed);
    return rc;
}

static int cancel_waiting(void *arg)
{
    (void)arg;
    int value = 5, got = 0;
    for (int i = 0; i < 10; i++) {
        CHECK(corio_go(recv_cancelled, NULL) == 0);
        CHECK(corio_go_copy(send_cancelled, &value, sizeof value) == 0);
    }
    CHECK(let_all_wait() == 0);
    CHECK(corio_cancel_children(-EINTR) == 0);
    CHECK(corio_wait() == -EINTR && READ(passed) == 20);
    for (int i = 0; i < 2; i++)
        CHECK(corio_channel_try_send(channels[0], &value) == -EBUSY);
    CHECK(corio_channel_try_recv(channels[1], &got) == -EBUSY);
    CHECK(corio_channel_try_recv(channels[2], &got) == -EBUSY);
    CHECK(corio_channel_send_until(channels[0], &value, corio_now_ns() + 1000000) == -ETIMEDOUT);
    CHECK(corio_channel_recv_until(channels[0], &got, corio_now_ns() + 1000000) == -ETIMEDOUT);
    CHECK(corio_channel_send(channels[0], &value) == -EDEADLK);
    CHECK(strstr(corio_runtime_report(arg), "task cancel_waiting () waits in corio_channel_send"));
    CHECK(corio_channel_recv(channels[0], &got) == -EDEADLK);
    CHECK(strstr(corio_runtime_report(arg), "waits in corio_channel_recv"));
    corio_select_case only = corio_select_recv(channels[0], &got);
    CHECK(corio_select(&only, 1) == -EDEADLK);
    CHECK(strstr(corio_runtime_report(arg), "waits in corio_select"));
    return 0;
}

static void giving_up_has_no_effect(void **state)
{
    (void)state;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 3, sizeof(int), 0);
        assert_int_equal(corio_run(runtime, cancel_waiting, runtime), 0);
        tear_down(3);
    }
}

/* -- Misuse -- */

static int misuse(void *arg)
{
    int value = 1;
    corio_select_case bad = corio_select_recv(channels[0], NULL);
    (void)arg;
    CHECK(corio_channel_send(NULL, &value) == -EINVAL &&
          corio_channel_recv(NULL, &value) == -EINVAL);
    CHECK(corio_channel_send(channels[0], NULL) == -EINVAL);
    CHECK(corio_channel_try_recv(channels[0], NULL) == -EINVAL);
    CHECK(corio_channel_close(NULL, 0) == -EINVAL);
    CHECK(corio_select(&bad, 1) == -EINVAL && corio_select(NULL, 1) == -EINVAL);
    bad.received = &value;
    bad.direction = (corio_select_direction)7;
    CHECK(corio_select(&bad, 1) == -EINVAL);
    return 0;
}

static int carry_nothing(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++)
        CHECK(corio_channel_send(channels[0], NULL) == 0);
    CHECK(corio_channel_try_send(channels[0], NULL) == -EBUSY);
    CHECK(corio_channel_recv(channels[0], NULL) == 0);
    return corio_channel_length(channels[0]) == 1 ? 0 : -EBADMSG;
}

static void misuse_is_a_named_error(void **state)
{
    (void)state;
    int value = 1;
    FOR_EACH_WORKER_COUNT(runtime)
    {
        set_up(runtime, 1, sizeof(int), 1);
        assert_int_equal(corio_run(runtime, misuse, NULL), 0);
        assert_int_equal(corio_channel_send(channels[0], &value), -EPERM);
        assert_int_equal(corio_channel_recv(channels[0], &value), -EPERM);
        assert_int_equal(corio_channel_send(NULL, &value), -EPERM);
        assert_int_equal(corio_channel_close(channels[0], 0), -EPERM);
        assert_int_equal(corio_select_try(NULL, 0), -EPERM);
        tear_down(1);
        set_up(runtime, 1, 0, 2);
        assert_int_equal(corio_run(runtime, carry_nothing, NULL), 0);
        tear_down(1);
    }
    assert_int_equal(corio_channel_create(1, 1, NULL), -EINVAL);
    assert_int_equal(corio_channel_create(SIZE_MAX, 2, &channels[0]), -ENOMEM);
    assert_int_equal(corio_channel_create(1, SIZE_MAX, &channels[0]), -ENOMEM);
    assert_int_equal(corio_channel_destroy(NULL), 0);
    assert_int_equal(corio_channel_length(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_sent_is_received_once_in_order),
        cmocka_unit_test(selects_on_both_sides_lose_nothing),
        cmocka_unit_test(waiters_are_served_in_order),
        cmocka_unit_test(closed_channel_is_drained_and_then_says_its_code),
        cmocka_unit_test(first_ready_case_is_chosen),
        cmocka_unit_test(waiting_select_does_one_case),
        cmocka_unit_test(select_never_meets_itself),
        cmocka_unit_test(giving_up_has_no_effect),
        cmocka_unit_test(misuse_is_a_named_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
