/* SPDX-License-Identifier: MIT
 *
 * ck_ec.h - for the model explorer, found instead of Concurrency Kit's: the 32-bit event count with
 * the same interface and protocol, on the explorer's atomics (ck's own adds in inline assembly and
 * sleeps in a compiled library, where nothing can be watched).
 *
 *     word:  | somebody sleeps : 1 | count : 31 |
 *
 * A sleeper sets the flag by compare-and-swap and waits in the futex for the flagged word to change;
 * a signal adds one, and if the flag was set clears it and wakes all. Order is the caller's.
 */
#ifndef CK_EC_H
#define CK_EC_H

#include <ck_pr.h>
#include <stddef.h>
#include <time.h>

struct ck_ec32 {
    uint32_t counter;
};

struct ck_ec_ops;

struct ck_ec_wait_state {
    struct timespec start;
    struct timespec now;
    const struct ck_ec_ops *ops;
    void *data;
};

struct ck_ec_ops {
    int (*gettime)(const struct ck_ec_ops *ops, struct timespec *ret_now);
    void (*wait32)(const struct ck_ec_wait_state *state, const uint32_t *address, uint32_t expected,
                   const struct timespec *deadline);
    void (*wake32)(const struct ck_ec_ops *ops, const uint32_t *address);
    uint32_t busy_loop_iter;
};

struct ck_ec_mode {
    const struct ck_ec_ops *ops;
    bool single_producer;
};

#define CK_EC_FLAG (UINT32_C(1) << 31)

static inline void ck_ec32_init(struct ck_ec32 *ec, uint32_t value)
{
    ec->counter = value;
}

static inline uint32_t ck_ec32_value(const struct ck_ec32 *ec)
{
    return ck_pr_load_32(&ec->counter) & ~CK_EC_FLAG;
}

static inline void ck_ec32_inc(struct ck_ec32 *ec, const struct ck_ec_mode *mode)
{
    ck_pr_fence_store_atomic();
    if ((ck_pr_faa_32(&ec->counter, 1) & CK_EC_FLAG) == 0)
        return;
    ck_pr_and_32(&ec->counter, ~CK_EC_FLAG);
    mode->ops->wake32(mode->ops, &ec->counter);
}

static inline int ck_ec32_wait_pred(struct ck_ec32 *ec, const struct ck_ec_mode *mode, uint32_t old,
                                    int (*pred)(const struct ck_ec_wait_state *, struct timespec *),
                                    void *data, const struct timespec *deadline)
{
    struct ck_ec_wait_state state = {.ops = mode->ops, .data = data};
    while (ck_ec32_value(ec) == old) {
        struct timespec until = *deadline;
        int rc = pred(&state, &until);
        if (rc != 0)
            return rc;
        uint32_t seen;
        if (!ck_pr_cas_32_value(&ec->counter, old, old | CK_EC_FLAG, &seen) &&
            seen != (old | CK_EC_FLAG))
            continue;
        mode->ops->wait32(&state, &ec->counter, old | CK_EC_FLAG, &until);
    }
    return 0;
}

#endif
