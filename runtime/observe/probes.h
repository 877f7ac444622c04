/* SPDX-License-Identifier: MIT
 *
 * probes.h - places that a tracer can hook into from outside (USDT): bpftrace, perf, SystemTap, gdb.
 *
 * A probe is one nop, and a note in the file that says where it is and where its arguments are. None
 * is on the paths of spawn, wait, request or lock that are taken millions of times a second.
 *
 *   phase_begin     phase, tasks that can run        the leader resumes
 *   phase_end       phase, ns of the CPU phase       quiescence was found
 *   batch_dispatch  dispatcher's name, batch, requests, phase      before its function is called
 *   batch_complete  dispatcher's name, batch, requests (of a slice, if it is one)    by any thread
 *   task_start      name, parent, index              a task that begins on a stack of its own, that
 *   task_end        name, parent, index                is: was not called by the one that waits for it
 *   worker_park     worker                           goes to sleep
 *   worker_wake     worker                           was woken
 *   steal           thief, victim                    workers, by number
 */
#ifndef CR_OBSERVE_PROBES_H
#define CR_OBSERVE_PROBES_H

#ifndef CR_USDT
#define CR_USDT 0
#endif

#if CR_USDT
#include <sys/sdt.h>
#define CR_PROBE1(name, a)          DTRACE_PROBE1(corio, name, a)
#define CR_PROBE2(name, a, b)       DTRACE_PROBE2(corio, name, a, b)
#define CR_PROBE3(name, a, b, c)    DTRACE_PROBE3(corio, name, a, b, c)
#define CR_PROBE4(name, a, b, c, d) DTRACE_PROBE4(corio, name, a, b, c, d)
#else
#define CR_PROBE1(name, a)          ((void)0)
#define CR_PROBE2(name, a, b)       ((void)0)
#define CR_PROBE3(name, a, b, c)    ((void)0)
#define CR_PROBE4(name, a, b, c, d) ((void)0)
#endif

#endif
