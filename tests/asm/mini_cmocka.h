/* SPDX-License-Identifier: MIT */
/* As much of cmocka's interface as test_context.c uses, for a target that has no cmocka: put a copy
 * on the include path as cmocka.h. A failed assertion ends its case; skip() too. */
#ifndef CR_TEST_MINI_CMOCKA_H
#define CR_TEST_MINI_CMOCKA_H

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

enum { MINI_PASSED, MINI_FAILED, MINI_SKIPPED };

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

static jmp_buf mini_end_of_case;

static inline void mini_check(int holds, const char *what, const char *file, int line)
{
    if (!holds) {
        printf("%s:%d: failed: %s\n", file, line, what);
        longjmp(mini_end_of_case, MINI_FAILED);
    }
}

#define MINI_CHECK(holds) mini_check((holds) ? 1 : 0, #holds, __FILE__, __LINE__)

#define assert_true(a)               MINI_CHECK(a)
#define assert_false(a)              MINI_CHECK(!(a))
#define assert_non_null(a)           MINI_CHECK((a) != NULL)
#define assert_int_equal(a, b)       MINI_CHECK((unsigned long long)(a) == (unsigned long long)(b))
#define assert_ptr_equal(a, b)       MINI_CHECK((const void *)(a) == (const void *)(b))
#define assert_memory_equal(a, b, n) MINI_CHECK(memcmp((a), (b), (n)) == 0)
#define fail()                       mini_check(0, "fail()", __FILE__, __LINE__)
#define skip()                       longjmp(mini_end_of_case, MINI_SKIPPED)

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
#f, f                                                                                      \
    }
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    mini_run(tests, sizeof(tests) / sizeof((tests)[0]))

static inline int mini_run(const struct CMUnitTest *tests, size_t count)
{
    static const char *const verdicts[] = {"ok", "FAILED", "skipped"};
    static volatile size_t i;
    static volatile int failed;

    setvbuf(stdout, NULL, _IONBF, 0);
    for (i = 0; i < count; i++) {
        void *state = NULL;
        int verdict = setjmp(mini_end_of_case);
        if (verdict == MINI_PASSED) {
            tests[i].run(&state);
        }
        failed += verdict == MINI_FAILED;
        printf("%-8s%s\n", verdicts[verdict], tests[i].name);
    }
    return failed;
}

#endif
