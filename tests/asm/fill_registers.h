/* SPDX-License-Identifier: MIT */
/* A switch made with chosen values in every callee-saved register.
 *
 *   filled_switch(to, data, fn, in, out)   loads in[], jumps (fn == NULL) or runs fn on top,
 *                                          and stores what it finds after the return in out[]
 *
 * Include it in one file of a program: it defines the function in assembly, with unwind rules. */
#ifndef CR_TEST_FILL_REGISTERS_H
#define CR_TEST_FILL_REGISTERS_H

#include "runtime/base/context.h"

#include <stdint.h>

#define FILL_TEXT_(x) #x
#define FILL_TEXT(x)  FILL_TEXT_(x)
#define FILL_JUMP     FILL_TEXT(CR_CONTEXT_SYMBOL(jump))
#define FILL_ONTOP    FILL_TEXT(CR_CONTEXT_SYMBOL(ontop))

cr_transfer filled_switch(cr_context to, void *data, cr_context_function *fn, const uint64_t *in,
                          uint64_t *out);

#if defined(__x86_64__)

/* rbx rbp r12 r13 r14 r15 */
#define FILL_COUNT 6

__asm__(".text\n"
        ".globl filled_switch\n"
        ".type filled_switch, @function\n"
        "filled_switch:\n"
        ".cfi_startproc\n"
        "endbr64\n"
        "pushq %rbx\n .cfi_adjust_cfa_offset 8\n .cfi_rel_offset rbx, 0\n"
        "pushq %rbp\n .cfi_adjust_cfa_offset 8\n .cfi_rel_offset rbp, 0\n"
        "pushq %r12\n .cfi_adjust_cfa_offset 8\n .cfi_rel_offset r12, 0\n"
        "pushq %r13\n .cfi_adjust_cfa_offset 8\n .cfi_rel_offset r13, 0\n"
        "pushq %r14\n .cfi_adjust_cfa_offset 8\n .cfi_rel_offset r14, 0\n"
        "pushq %r15\n .cfi_adjust_cfa_offset 8\n .cfi_rel_offset r15, 0\n"
        "pushq %r8\n .cfi_adjust_cfa_offset 8\n"
        "movq 0x00(%rcx), %rbx\n"
        "movq 0x08(%rcx), %rbp\n"
        "movq 0x10(%rcx), %r12\n"
        "movq 0x18(%rcx), %r13\n"
        "movq 0x20(%rcx), %r14\n"
        "movq 0x28(%rcx), %r15\n"
        "testq %rdx, %rdx\n"
        "jz 1f\n"
        "call " FILL_ONTOP "@PLT\n"
        "jmp 2f\n"
        "1: call " FILL_JUMP "@PLT\n"
        "2: popq %rcx\n .cfi_adjust_cfa_offset -8\n"
        "movq %rbx, 0x00(%rcx)\n"
        "movq %rbp, 0x08(%rcx)\n"
        "movq %r12, 0x10(%rcx)\n"
        "movq %r13, 0x18(%rcx)\n"
        "movq %r14, 0x20(%rcx)\n"
        "movq %r15, 0x28(%rcx)\n"
        "popq %r15\n .cfi_adjust_cfa_offset -8\n .cfi_restore r15\n"
        "popq %r14\n .cfi_adjust_cfa_offset -8\n .cfi_restore r14\n"
        "popq %r13\n .cfi_adjust_cfa_offset -8\n .cfi_restore r13\n"
        "popq %r12\n .cfi_adjust_cfa_offset -8\n .cfi_restore r12\n"
        "popq %rbp\n .cfi_adjust_cfa_offset -8\n .cfi_restore rbp\n"
        "popq %rbx\n .cfi_adjust_cfa_offset -8\n .cfi_restore rbx\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size filled_switch, . - filled_switch\n");

#elif defined(__aarch64__)

/* x19 ... x29, d8 ... d15 */
#define FILL_COUNT 19

__asm__(".text\n"
        ".globl filled_switch\n"
        ".type filled_switch, %function\n"
        "filled_switch:\n"
        ".cfi_startproc\n"
        "hint #34\n" /* bti c */
        "sub sp, sp, #0xb0\n .cfi_adjust_cfa_offset 0xb0\n"
        "stp x19, x20, [sp, #0x00]\n .cfi_rel_offset x19, 0x00\n .cfi_rel_offset x20, 0x08\n"
        "stp x21, x22, [sp, #0x10]\n .cfi_rel_offset x21, 0x10\n .cfi_rel_offset x22, 0x18\n"
        "stp x23, x24, [sp, #0x20]\n .cfi_rel_offset x23, 0x20\n .cfi_rel_offset x24, 0x28\n"
        "stp x25, x26, [sp, #0x30]\n .cfi_rel_offset x25, 0x30\n .cfi_rel_offset x26, 0x38\n"
        "stp x27, x28, [sp, #0x40]\n .cfi_rel_offset x27, 0x40\n .cfi_rel_offset x28, 0x48\n"
        "stp x29, x30, [sp, #0x50]\n .cfi_rel_offset x29, 0x50\n .cfi_rel_offset x30, 0x58\n"
        "stp d8, d9, [sp, #0x60]\n .cfi_rel_offset 72, 0x60\n .cfi_rel_offset 73, 0x68\n"
        "stp d10, d11, [sp, #0x70]\n .cfi_rel_offset 74, 0x70\n .cfi_rel_offset 75, 0x78\n"
        "stp d12, d13, [sp, #0x80]\n .cfi_rel_offset 76, 0x80\n .cfi_rel_offset 77, 0x88\n"
        "stp d14, d15, [sp, #0x90]\n .cfi_rel_offset 78, 0x90\n .cfi_rel_offset 79, 0x98\n"
        "str x4, [sp, #0xa0]\n"
        "ldp x19, x20, [x3, #0x00]\n"
        "ldp x21, x22, [x3, #0x10]\n"
        "ldp x23, x24, [x3, #0x20]\n"
        "ldp x25, x26, [x3, #0x30]\n"
        "ldp x27, x28, [x3, #0x40]\n"
        "ldr x29, [x3, #0x50]\n"
        "ldp d8, d9, [x3, #0x58]\n"
        "ldp d10, d11, [x3, #0x68]\n"
        "ldp d12, d13, [x3, #0x78]\n"
        "ldp d14, d15, [x3, #0x88]\n"
        "cbz x2, 1f\n"
        "bl " FILL_ONTOP "\n"
        "b 2f\n"
        "1: bl " FILL_JUMP "\n"
        "2: ldr x3, [sp, #0xa0]\n"
        "stp x19, x20, [x3, #0x00]\n"
        "stp x21, x22, [x3, #0x10]\n"
        "stp x23, x24, [x3, #0x20]\n"
        "stp x25, x26, [x3, #0x30]\n"
        "stp x27, x28, [x3, #0x40]\n"
        "str x29, [x3, #0x50]\n"
        "stp d8, d9, [x3, #0x58]\n"
        "stp d10, d11, [x3, #0x68]\n"
        "stp d12, d13, [x3, #0x78]\n"
        "stp d14, d15, [x3, #0x88]\n"
        "ldp x19, x20, [sp, #0x00]\n"
        "ldp x21, x22, [sp, #0x10]\n"
        "ldp x23, x24, [sp, #0x20]\n"
        "ldp x25, x26, [sp, #0x30]\n"
        "ldp x27, x28, [sp, #0x40]\n"
        "ldp x29, x30, [sp, #0x50]\n"
        "ldp d8, d9, [sp, #0x60]\n"
        "ldp d10, d11, [sp, #0x70]\n"
        "ldp d12, d13, [sp, #0x80]\n"
        "ldp d14, d15, [sp, #0x90]\n"
        "add sp, sp, #0xb0\n .cfi_adjust_cfa_offset -0xb0\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size filled_switch, . - filled_switch\n");

#endif

#endif
