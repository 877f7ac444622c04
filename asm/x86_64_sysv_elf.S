/* SPDX-License-Identifier: MIT */
/* The context switch                                           x86-64 System V, ELF
 *
 *   cr_make_fcontext(top rdi, bytes rsi, entry rdx)  -> context rax
 *   cr_jump_fcontext(to rdi, data rsi)               -> from rax, data rdx
 *   cr_ontop_fcontext(to rdi, data rsi, fn rdx)      -> from rax, data rdx
 *
 * A suspended context is the address of its frame, at the low end of the live part of its stack:
 *
 *   +0x00 mxcsr | +0x04 x87 control word    +0x08 r12
 *   +0x10 r13                               +0x18 r14
 *   +0x20 r15                               +0x28 rbx   (new context: the entry function)
 *   +0x30 rbp   (new context: 0)            +0x38 rip   (new context: cr_context_start + 1)
 *   +0x40 the stack of whoever called the switch
 *
 * Both switches build this frame in the same place below the caller's, so the rules that find the
 * saved registers hold without a change across the instruction that replaces rsp: before it they
 * unwind the old stack, after it the new one.
 *
 * Kept: callee-saved registers, mxcsr (with its status flags), x87 control word.
 * Not kept: x87 status and registers, signal mask, TLS, shadow stack.
 *
 * Leaving is `pop; jmp`: a `ret` would pop the return predictor's entry for another stack and be
 * mispredicted every time. mxcsr is loaded unasked, which costs less than comparing it, since a
 * read right behind stmxcsr stalls. The x87 word is compared, as it never differs in practice.
 */

#ifdef __ILP32__
#error "x32 is not supported: the frame holds 8-byte pointers"
#endif

/* Under IBT a function reached through a pointer starts with endbr64. The switch returns into the
 * middle of C code, where there is none, so that one jump is exempt. */
#if defined(__CET__) && (__CET__ & 1)
#define LANDING endbr64
#define LEAVE notrack jmp *%r8
#else
#define LANDING
#define LEAVE jmp *%r8
#endif

#define FRAME_BYTES 0x40
#define MXCSR 0x00
#define X87CW 0x04
#define R12 0x08
#define R13 0x10
#define R14 0x18
#define R15 0x20
#define RBX 0x28
#define RBP 0x30
#define RIP 0x38

.macro function name
    .globl  \name
    .hidden \name
    .type   \name, @function
    .p2align 6
\name:
    .cfi_startproc
    LANDING
.endm

.macro end name
    .cfi_endproc
    .size   \name, . - \name
.endm

/* Builds the frame of the running context; the return address is its last slot already. */
.macro save_frame
    leaq    -RIP(%rsp), %rsp
    .cfi_adjust_cfa_offset RIP
    stmxcsr MXCSR(%rsp)
    fnstcw  X87CW(%rsp)
    movq    %r12, R12(%rsp)
    movq    %r13, R13(%rsp)
    movq    %r14, R14(%rsp)
    movq    %r15, R15(%rsp)
    movq    %rbx, RBX(%rsp)
    movq    %rbp, RBP(%rsp)
    .cfi_rel_offset r12, R12
    .cfi_rel_offset r13, R13
    .cfi_rel_offset r14, R14
    .cfi_rel_offset r15, R15
    .cfi_rel_offset rbx, RBX
    .cfi_rel_offset rbp, RBP
.endm

/* Moves to the stack of the context in rdi, with its floating point control; rax = the old one.
 * Labels: 1 is slow_x87's way back. */
.macro swap_stack
    movq    %rsp, %rax
    movq    %rdi, %rsp
    ldmxcsr MXCSR(%rsp)
    movzwl  X87CW(%rax), %ecx
    cmpw    X87CW(%rsp), %cx
    .cfi_remember_state
    jne     2f
1:
.endm

/* Takes the registers from the frame at rsp and goes on where that context left off. */
.macro leave_to_frame
    movq    R12(%rsp), %r12
    movq    R13(%rsp), %r13
    movq    R14(%rsp), %r14
    movq    R15(%rsp), %r15
    movq    RBX(%rsp), %rbx
    movq    RBP(%rsp), %rbp
    .cfi_restore r12
    .cfi_restore r13
    .cfi_restore r14
    .cfi_restore r15
    .cfi_restore rbx
    .cfi_restore rbp
    addq    $RIP, %rsp
    .cfi_adjust_cfa_offset -RIP
    popq    %r8
    .cfi_adjust_cfa_offset -8
    .cfi_register rip, r8
    LEAVE
.endm

/* The rare half of swap_stack, out of the way. */
.macro slow_x87
2:
    .cfi_restore_state
    fldcw   X87CW(%rsp)
    jmp     1b
.endm

    .text

function cr_jump_fcontext
    save_frame
    swap_stack
    movq    %rsi, %rdx
    leave_to_frame
    slow_x87
end cr_jump_fcontext

/* fn runs below the target's frame, which is still in place: what unwinds through fn finds the
 * target's registers there. The frame is 16-aligned, so the call is. */
function cr_ontop_fcontext
    save_frame
    swap_stack
    movq    %rax, %rdi
    callq   *%rdx
    leave_to_frame
    slow_x87
end cr_ontop_fcontext

/* A new context starts with the maker's floating point control. bytes (rsi) is not needed. */
function cr_make_fcontext
    andq    $-16, %rdi
    leaq    -FRAME_BYTES(%rdi), %rax
    stmxcsr MXCSR(%rax)
    fnstcw  X87CW(%rax)
    movq    %rdx, RBX(%rax)
    movq    $0, RBP(%rax)
    leaq    .Lstart(%rip), %rcx
    movq    %rcx, RIP(%rax)
    ret
end cr_make_fcontext

/* The first frame of every context: nothing called it, so its return address is undefined and a
 * backtrace ends here. Unwinders look up pc - 1, hence the nop before the stored address. It is
 * entered with a transfer in rax:rdx, from a jump or from a function run on top. */
    .type   cr_context_start, @function
    .p2align 4
cr_context_start:
    .cfi_startproc
    .cfi_def_cfa rsp, 0
    .cfi_undefined rip
    nop
.Lstart:
    movq    %rax, %rdi
    movq    %rdx, %rsi
    callq   *%rbx
    /* The entry function must not return; if it does the process ends. */
    xorl    %edi, %edi
    callq   _exit@PLT
    hlt
end cr_context_start

    .section .note.GNU-stack, "", @progbits

#if defined(__CET__) && (__CET__ & 1)
/* IBT is claimed; SHSTK is not: the shadow stack is not switched. */
    .section .note.gnu.property, "a", @note
    .p2align 3
    .long   4                       /* bytes of the name */
    .long   16                      /* bytes of the property */
    .long   5                       /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz  "GNU"
    .long   0xc0000002              /* GNU_PROPERTY_X86_FEATURE_1_AND */
    .long   4
    .long   1                       /* IBT */
    .long   0
#endif
