/* SPDX-License-Identifier: MIT
 *
 * model_litmus.c - the explorer itself: the classical small programs. What weak memory allows is seen
 * in some run, and what the fences forbid in none.
 *
 * The names are those of Alglave, Maranget, Tautschnig, "Herding Cats" (TOPLAS 2014).
 */
#include "runtime/base/atomic.h"
#include "tests/model/model.h"

static struct {
    uint32_t x, y;
    uint32_t read[4];
} world;

/* Outcomes of all runs. */
static struct {
    unsigned sb, mp, mp_release, mp_acquire, iriw;
} seen;

static void begin(void)
{
    memset(&world, 0, sizeof world);
}

static void membarrier(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

static void no_order(void)
{
}

/* One thread's "write this, then read that", with something between. */
#define WRITE_READ(name, written, between, seen_as)                                                \
    static void name(void)                                                                         \
    {                                                                                              \
        cr_store_32(&world.written, 1);                                                            \
        between();                                                                                 \
        world.read[seen_as] = cr_load_32(seen_as == 0 ? &world.y : &world.x);                      \
    }

WRITE_READ(sb_0, x, no_order, 0)
WRITE_READ(sb_1, y, no_order, 1)
WRITE_READ(sb_full_0, x, cr_fence_full, 0)
WRITE_READ(sb_full_1, y, cr_fence_full, 1)
WRITE_READ(sb_membarrier_0, x, membarrier, 0)

static bool is_sb(void)
{
    return world.read[0] == 0 && world.read[1] == 0;
}

static void count_sb(void)
{
    seen.sb += is_sb();
}

static void never_sb(void)
{
    MODEL_CHECK(!is_sb());
}

/* Message passing: x is the message, y the flag. */
static void mp_write(void)
{
    cr_store_32(&world.x, 1);
    cr_store_32(&world.y, 1);
}

static void mp_release(void)
{
    cr_store_32(&world.x, 1);
    cr_store_release_32(&world.y, 1);
}

static void mp_read(void)
{
    world.read[0] = cr_load_32(&world.y);
    world.read[1] = cr_load_32(&world.x);
}

static void mp_acquire(void)
{
    world.read[0] = cr_load_acquire_32(&world.y);
    world.read[1] = cr_load_32(&world.x);
}

static bool is_mp(void)
{
    return world.read[0] != 0 && world.read[1] == 0;
}

static void count_mp(void)
{
    seen.mp += is_mp();
}

static void count_mp_release(void)
{
    seen.mp_release += is_mp();
}

static void count_mp_acquire(void)
{
    seen.mp_acquire += is_mp();
}

static void never_mp(void)
{
    MODEL_CHECK(!is_mp());
}

/* Somebody else's read-modify-write hands the release on. */
static void add_relaxed(void)
{
    (void)ck_pr_faa_32(&world.y, 1);
}

static void acquire_after_add(void)
{
    if (cr_load_acquire_32(&world.y) == 2)
        MODEL_CHECK(cr_load_32(&world.x) == 1);
}

/* Causality over three threads. */
static void wrc_pass(void)
{
    if (cr_load_acquire_32(&world.x) == 1)
        cr_store_release_32(&world.y, 1);
}

static void write_x(void)
{
    cr_store_32(&world.x, 1);
}

static void write_y(void)
{
    cr_store_32(&world.y, 1);
}

static void write_x_twice(void)
{
    cr_store_32(&world.x, 1);
    cr_store_32(&world.x, 2);
}

static void read_x_twice(void)
{
    uint32_t first = cr_load_32(&world.x);
    MODEL_CHECK(cr_load_32(&world.x) >= first);
}

/* Independent reads of independent writes. */
#define IRIW(name, between, first, second, at)                                                     \
    static void name(void)                                                                         \
    {                                                                                              \
        world.read[at] = cr_load_32(&world.first);                                                 \
        between();                                                                                 \
        world.read[(at) + 1] = cr_load_32(&world.second);                                          \
    }

static void acquire(void)
{
    ck_pr_fence_acquire();
}

IRIW(iriw_0, acquire, x, y, 0)
IRIW(iriw_1, acquire, y, x, 2)
IRIW(iriw_full_0, cr_fence_full, x, y, 0)
IRIW(iriw_full_1, cr_fence_full, y, x, 2)

static bool is_iriw(void)
{
    return world.read[0] == 1 && world.read[1] == 0 && world.read[2] == 1 && world.read[3] == 0;
}

static void count_iriw(void)
{
    seen.iriw += is_iriw();
}

static void never_iriw(void)
{
    MODEL_CHECK(!is_iriw());
}

static void add(void)
{
    (void)ck_pr_faa_32(&world.x, 1);
}

static void three_added(void)
{
    MODEL_CHECK(world.x == 3);
}

int main(int argc, char **argv)
{
    static const model_case cases[] = {
        {"sb", begin, {sb_0, sb_1}, count_sb, NULL},
        {"sb_one_fence", begin, {sb_full_0, sb_1}, count_sb, NULL},
        {"sb_fences", begin, {sb_full_0, sb_full_1}, never_sb, NULL},
        {"sb_membarrier", begin, {sb_membarrier_0, sb_1}, never_sb, NULL},
        {"mp", begin, {mp_write, mp_read}, count_mp, NULL},
        {"mp_release_only", begin, {mp_release, mp_read}, count_mp_release, NULL},
        {"mp_acquire_only", begin, {mp_write, mp_acquire}, count_mp_acquire, NULL},
        {"mp_release_acquire", begin, {mp_release, mp_acquire}, never_mp, NULL},
        {"mp_through_a_modify", begin, {mp_release, add_relaxed, acquire_after_add}, NULL, NULL},
        {"wrc", begin, {write_x, wrc_pass, mp_acquire}, never_mp, NULL},
        {"corr", begin, {write_x_twice, read_x_twice}, NULL, NULL},
        {"iriw_acquire", begin, {write_x, write_y, iriw_0, iriw_1}, count_iriw, NULL},
        {"iriw_fences", begin, {write_x, write_y, iriw_full_0, iriw_full_1}, never_iriw, NULL},
        {"modifies_add_up", begin, {add, add, add}, three_added, NULL},
    };
    int rc = model_main(argc, argv, cases, sizeof cases / sizeof *cases, 3000);
    if (rc != 0 || argc > 1)
        return rc;
    printf("seen: sb %u, mp %u, mp with release only %u, mp with acquire only %u, iriw %u\n",
           seen.sb, seen.mp, seen.mp_release, seen.mp_acquire, seen.iriw);
    return seen.sb && seen.mp && seen.mp_release && seen.mp_acquire && seen.iriw ? 0 : 1;
}
