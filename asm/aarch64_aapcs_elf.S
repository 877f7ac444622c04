/* SPDX-License-Identifier: MIT */
/* The context switch                                           AArch64 AAPCS64, ELF
 *
 *   cr_make_fcontext(top x0, bytes x1, entry x2)  -> context x0
 *   cr_jump_fcontext(to x0, data x1)              -> from x0, data x1
 *   cr_ontop_fcontext(to x0, data x1, fn x2)      -> from x0, data x1
 *
 * A suspended context is the address of its frame, at the low end of the live part of its stack:
 *
 *   +0x00 d8  | d9       +0x10 d10 | d11      +0x20 d12 | d13      +0x30 d14 | d15
 *   +0x40 x19 | x20      +0x50 x21 | x22      +0x60 x23 | x24      +0x70 x25 | x26
 *   +0x80 x27 | x28      +0x90 x29 | x30      +0xa0 fpcr | unused
 *   +0xb0 the stack of whoever called the switch
 *
 *   new context: x19 the entry function, x29 0, x30 cr_context_start + 4
 *
 * Both switches build this frame in the same place below the caller's, so the rules that find the
 * saved registers hold without a change across the instruction that replaces sp: before it they
 * unwind the old stack, after it the new one.
 *
 * Kept: callee-saved registers, FPCR.
 * Not kept: FPSR (the status flags), signal mask, TLS, guarded control stack. The return address
 * in the frame is not signed.
 *
 * FPCR is written only if it differs, as the write synchronises the core.
 */

#ifdef __ILP32__
#error "ILP32 is not supported: the frame holds 8-byte pointers"
#endif

/* Under BTI a function reached through a pointer starts with `bti c`. The switch returns into the
 * middle of C code, where there is no landing pad and only a `ret` may go. Without BTI a `br` does
 * not disturb the return predictor, whose entry is for another stack. */
#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define LANDING hint #34            /* bti c */
#define LEAVE ret
#else
#define LANDING
#define LEAVE br x30
#endif

#define FRAME_BYTES 0xb0
#define D8 0x00
#define X19 0x40
#define FP 0x90
#define LR 0x98
#define FPCR 0xa0

/* DWARF numbers d8 as 72 */
#define DWARF_D8 72

.macro function name
    .globl  \name
    .hidden \name
    .type   \name, %function
    .p2align 6
\name:
    .cfi_startproc
    LANDING
.endm

.macro end name
    .cfi_endproc
    .size   \name, . - \name
.endm

/* Builds the frame of the running context; x9 = its FPCR. */
.macro save_frame
    sub     sp, sp, #FRAME_BYTES
    .cfi_adjust_cfa_offset FRAME_BYTES
    stp     d8, d9, [sp, #D8]
    stp     d10, d11, [sp, #D8 + 0x10]
    stp     d12, d13, [sp, #D8 + 0x20]
    stp     d14, d15, [sp, #D8 + 0x30]
    stp     x19, x20, [sp, #X19]
    stp     x21, x22, [sp, #X19 + 0x10]
    stp     x23, x24, [sp, #X19 + 0x20]
    stp     x25, x26, [sp, #X19 + 0x30]
    stp     x27, x28, [sp, #X19 + 0x40]
    stp     x29, x30, [sp, #FP]
    mrs     x9, fpcr
    str     x9, [sp, #FPCR]
    .cfi_rel_offset DWARF_D8, D8
    .cfi_rel_offset DWARF_D8 + 1, D8 + 0x08
    .cfi_rel_offset DWARF_D8 + 2, D8 + 0x10
    .cfi_rel_offset DWARF_D8 + 3, D8 + 0x18
    .cfi_rel_offset DWARF_D8 + 4, D8 + 0x20
    .cfi_rel_offset DWARF_D8 + 5, D8 + 0x28
    .cfi_rel_offset DWARF_D8 + 6, D8 + 0x30
    .cfi_rel_offset DWARF_D8 + 7, D8 + 0x38
    .cfi_rel_offset x19, X19
    .cfi_rel_offset x20, X19 + 0x08
    .cfi_rel_offset x21, X19 + 0x10
    .cfi_rel_offset x22, X19 + 0x18
    .cfi_rel_offset x23, X19 + 0x20
    .cfi_rel_offset x24, X19 + 0x28
    .cfi_rel_offset x25, X19 + 0x30
    .cfi_rel_offset x26, X19 + 0x38
    .cfi_rel_offset x27, X19 + 0x40
    .cfi_rel_offset x28, X19 + 0x48
    .cfi_rel_offset x29, FP
    .cfi_rel_offset x30, LR
.endm

/* Moves to the stack of the context in x0, with its FPCR; x0 = the old one.
 * Labels: 1 is slow_fpcr's way back. */
.macro swap_stack
    ldr     x10, [x0, #FPCR]
    mov     x11, sp
    mov     sp, x0
    mov     x0, x11
    cmp     x9, x10
    .cfi_remember_state
    b.ne    2f
1:
.endm

/* Takes the registers from the frame at sp and goes on where that context left off. */
.macro leave_to_frame
    ldp     x29, x30, [sp, #FP]
    ldp     x19, x20, [sp, #X19]
    ldp     x21, x22, [sp, #X19 + 0x10]
    ldp     x23, x24, [sp, #X19 + 0x20]
    ldp     x25, x26, [sp, #X19 + 0x30]
    ldp     x27, x28, [sp, #X19 + 0x40]
    ldp     d8, d9, [sp, #D8]
    ldp     d10, d11, [sp, #D8 + 0x10]
    ldp     d12, d13, [sp, #D8 + 0x20]
    ldp     d14, d15, [sp, #D8 + 0x30]
    .cfi_restore DWARF_D8
    .cfi_restore DWARF_D8 + 1
    .cfi_restore DWARF_D8 + 2
    .cfi_restore DWARF_D8 + 3
    .cfi_restore DWARF_D8 + 4
    .cfi_restore DWARF_D8 + 5
    .cfi_restore DWARF_D8 + 6
    .cfi_restore DWARF_D8 + 7
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    add     sp, sp, #FRAME_BYTES
    .cfi_adjust_cfa_offset -FRAME_BYTES
    LEAVE
.endm

/* The rare half of swap_stack, out of the way. */
.macro slow_fpcr
2:
    .cfi_restore_state
    msr     fpcr, x10
    b       1b
.endm

    .text

function cr_jump_fcontext
    save_frame
    swap_stack
    leave_to_frame
    slow_fpcr
end cr_jump_fcontext

/* fn runs below the target's frame, which is still in place: what unwinds through fn finds the
 * target's registers there. */
function cr_ontop_fcontext
    save_frame
    swap_stack
    blr     x2
    leave_to_frame
    slow_fpcr
end cr_ontop_fcontext

/* A new context starts with the maker's FPCR. bytes (x1) is not needed. */
function cr_make_fcontext
    and     x0, x0, #-16
    sub     x0, x0, #FRAME_BYTES
    mrs     x9, fpcr
    str     x9, [x0, #FPCR]
    adr     x10, .Lstart
    stp     xzr, x10, [x0, #FP]
    str     x2, [x0, #X19]
    ret
end cr_make_fcontext

/* The first frame of every context: nothing called it, so its return address is undefined and a
 * backtrace ends here. Unwinders look up pc - 1, hence the nop before the stored address. It is
 * entered with a transfer in x0 and x1, from a jump or from a function run on top; that is also
 * where the entry function wants it. */
    .type   cr_context_start, %function
    .p2align 4
cr_context_start:
    .cfi_startproc
    .cfi_undefined x30
    nop
.Lstart:
    blr     x19
    /* The entry function must not return; if it does the process ends. */
    mov     w0, #0
    bl      _exit
    brk     #0
end cr_context_start

    .section .note.GNU-stack, "", %progbits

#if defined(__ARM_FEATURE_BTI_DEFAULT)
/* BTI is claimed; PAC is not. */
    .section .note.gnu.property, "a", %note
    .p2align 3
    .word   4                       /* bytes of the name */
    .word   16                      /* bytes of the property */
    .word   5                       /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz  "GNU"
    .word   0xc0000000              /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
    .word   4
    .word   1                       /* BTI */
    .word   0
#endif
