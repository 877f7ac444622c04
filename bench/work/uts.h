/* SPDX-License-Identifier: MIT
 *
 * uts.h - the binomial trees of the unbalanced tree search benchmark (Olivier, Huan, Liu, Prins,
 * Dinan, Sadayappan, Tseng: UTS, 2006). C and C++.
 *
 * A node is 20 bytes: the SHA-1 of its parent's 20 bytes followed by its index among the siblings.
 * The root has `root_children` children; every other node has `children` of them if the random
 * number in its last word is below `probability`, else none. With children * probability just
 * below 1 the subtrees' sizes vary over many orders of magnitude, and nobody can tell which is the
 * large one before having walked it.
 *
 *     T3     4,112,897 nodes, depth 1,572
 *     T3L  111,345,631 nodes, depth 17,844
 *
 * A node's words hold the digest as SHA-1 computes it; as bytes they would be big-endian.
 */
#ifndef BENCH_WORK_UTS_H
#define BENCH_WORK_UTS_H

#include <stdint.h>

struct uts_node {
    uint32_t words[5];
};

struct uts_tree {
    const char *name;
    uint32_t seed;
    int root_children;
    int children;
    double probability;
    uint64_t nodes; /* for checking */
};

#define UTS_T3                                                                                     \
    {                                                                                              \
        "T3", 42, 2000, 8, 0.124875, 4112897                                                       \
    }
#define UTS_T3L                                                                                    \
    {                                                                                              \
        "T3L", 7, 2000, 5, 0.200014, 111345631                                                     \
    }
#define UTS_MOST_CHILDREN 8 /* of any node but the root */

static inline uint32_t uts_rotate(uint32_t value, int bits)
{
    return value << bits | value >> (32 - bits);
}

/* The next of the 80 words that the rounds add; the last 16 are kept. */
static inline uint32_t uts_word(uint32_t window[16], int round)
{
    if (round >= 16)
        window[round & 15] = uts_rotate(window[(round + 13) & 15] ^ window[(round + 8) & 15] ^
                                            window[(round + 2) & 15] ^ window[round & 15],
                                        1);
    return window[round & 15];
}

#define UTS_ROUNDS(first, last, mix, constant)                                                     \
    for (int round = first; round < last; round++) {                                               \
        uint32_t next = uts_rotate(a, 5) + (mix) + e + constant + uts_word(window, round);         \
        e = d;                                                                                     \
        d = c;                                                                                     \
        c = uts_rotate(b, 30);                                                                     \
        b = a;                                                                                     \
        a = next;                                                                                  \
    }

/* SHA-1 (FIPS 180-4) of a message that fits one block; `window` is the padded block, used up. */
static inline struct uts_node uts_sha1(uint32_t window[16])
{
    uint32_t a = 0x67452301, b = 0xefcdab89, c = 0x98badcfe, d = 0x10325476, e = 0xc3d2e1f0;
    UTS_ROUNDS(0, 20, (b & c) | (~b & d), 0x5a827999)
    UTS_ROUNDS(20, 40, b ^ c ^ d, 0x6ed9eba1)
    UTS_ROUNDS(40, 60, (b & c) | (b & d) | (c & d), 0x8f1bbcdc)
    UTS_ROUNDS(60, 80, b ^ c ^ d, 0xca62c1d6)
    struct uts_node digest = {
        {a + 0x67452301, b + 0xefcdab89, c + 0x98badcfe, d + 0x10325476, e + 0xc3d2e1f0}};
    return digest;
}

static inline struct uts_node uts_root(const struct uts_tree *tree)
{
    uint32_t window[16] = {0, 0, 0, 0, tree->seed, 0x80000000u};
    window[15] = 20 * 8;
    return uts_sha1(window);
}

static inline struct uts_node uts_child(const struct uts_node *parent, uint32_t index)
{
    uint32_t window[16] = {0};
    for (int i = 0; i < 5; i++)
        window[i] = parent->words[i];
    window[5] = index;
    window[6] = 0x80000000u;
    window[15] = 24 * 8;
    return uts_sha1(window);
}

/* Of a node that is not the root. */
static inline int uts_children(const struct uts_tree *tree, const struct uts_node *node)
{
    double random = (node->words[4] & 0x7fffffffu) / 2147483648.0;
    return random < tree->probability ? tree->children : 0;
}

#endif
