#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks for a backtrace at every instruction of the context switch (x86-64).

step_backtrace.py PROGRAM    PROGRAM is step_program.c; exits 77 if there is no gdb with python

The file is two scripts: started by hand it runs gdb with itself as the commands. There it steps
through PROGRAM and expects, at each instruction of the switch and of what it calls,

  - the frames of the context whose stack is current: those that were there when it suspended, at
    the same addresses, down to main or, on a task's stack, to cr_context_start, and nothing behind;
  - in the frame that called the switch, the callee-saved registers and the stack pointer it had.
"""
import shutil
import subprocess
import sys

SWITCHES = ('cr_jump_fcontext', 'cr_ontop_fcontext')
FIRST_FRAME = 'cr_context_start'
SAVED = ('rbx', 'rbp', 'r12', 'r13', 'r14', 'r15', 'rsp')
STEPS_MIN, STEPS_MAX = 300, 20000
CROSSINGS = 11  # changes of stack in PROGRAM: five there and back, one that does not come back


def outside():
    """The command: runs gdb on the program and passes its verdict on."""
    gdb_path = shutil.which('gdb')
    if gdb_path is None:
        print('step_backtrace: skipped, no gdb')
        return 77
    has_python = subprocess.run([gdb_path, '-nx', '-batch', '-ex', 'python print(6 * 7)'],
                                capture_output=True, text=True, check=False)
    if '42' not in has_python.stdout:
        print('step_backtrace: skipped, gdb has no python')
        return 77
    run = subprocess.run([gdb_path, '-nx', '-batch', '-x', __file__, sys.argv[1]],
                         capture_output=True, text=True, check=False, timeout=300)
    lines = [line for line in run.stdout.splitlines() if line.startswith('step_backtrace: ')]
    if not lines:
        sys.stdout.write(run.stdout + run.stderr)
        print('step_backtrace: FAILED, gdb gave no verdict')
        return 1
    print('\n'.join(lines))
    if lines[-1].startswith('step_backtrace: skipped'):
        return 77
    return 0 if lines[-1].startswith('step_backtrace: ok') else 1


class Broken(Exception):
    """A backtrace that is not what it should be."""


def number(value):
    """A register's or an address's value as an unsigned number."""
    return int(value.cast(gdb.lookup_type('unsigned long')))


def registers(frame):
    """What a frame believes its callee-saved registers to be."""
    return tuple(number(frame.read_register(name)) for name in SAVED)


def frames_behind(frame):
    """(name, pc) of the callers of a frame, as far as the unwinder goes."""
    found = []
    while frame is not None:
        frame = frame.older()
        if frame is not None:
            found.append((frame.name(), frame.pc()))
        if len(found) > 16:
            raise Broken('backtrace does not end: %s' % found)
    return found


class Walk:
    """One run of the program."""

    def __init__(self):
        self.suspended = {}   # stack -> (frames, registers of the first of them)
        self.stacks = {}
        self.entries = {name: self.address(name) for name in SWITCHES}
        self.steps = 0
        self.visited = set()
        self.crossings = 0
        for name in ('stack_one', 'stack_two'):
            low = self.address(name)
            size = int(gdb.parse_and_eval('(unsigned long)sizeof(%s)' % name))
            self.stacks[name] = (low, low + size)

    @staticmethod
    def address(name):
        return number(gdb.parse_and_eval('&' + name))

    def stack_of(self, frame):
        sp = number(frame.read_register('rsp'))
        for name, (low, high) in self.stacks.items():
            if low < sp <= high:
                return name
        return 'main'

    def fresh(self, stack):
        """What a context shows that has not run yet: the first frame alone."""
        top = self.stacks[stack][1]
        entry = self.address('step_entry' if stack == 'stack_one' else 'step_last_entry')
        return [(FIRST_FRAME, self.address(FIRST_FRAME) + 1)], {'rbx': entry, 'rbp': 0, 'rsp': top}

    def expect(self, frame, stack):
        """Compares the callers of a frame of the switch with what suspended on this stack."""
        frames, values = self.suspended.get(stack) or self.fresh(stack)
        found = frames_behind(frame)
        if found != frames:
            raise Broken('on %s: frames %s, expected %s' % (stack, found, frames))
        caller = dict(zip(SAVED, registers(frame.older())))
        for name, value in values.items():
            if caller[name] != value:
                raise Broken('on %s: caller has %s = %#x, expected %#x'
                             % (stack, name, caller[name], value))

    def check(self):
        """Looks at the instruction about to run."""
        frame = gdb.newest_frame()
        name, pc, stack = frame.name(), frame.pc(), self.stack_of(frame)
        if pc in self.entries.values():
            self.suspended[stack] = (frames_behind(frame),
                                     dict(zip(SAVED, registers(frame.older()))))
        names = [name] + [n for n, _ in frames_behind(frame)]
        last = 'main' if stack == 'main' else FIRST_FRAME
        if names[-1] != last or names.count(last) != 1:
            raise Broken('on %s: frames %s do not end in %s' % (stack, names, last))
        if name in SWITCHES:
            self.expect(frame, stack)
            self.visited.add(pc)
        if name == 'step_on_top':
            self.expect(frame.older(), stack)
            if names[1] != 'cr_ontop_fcontext':
                raise Broken('frames %s: the switch is missing' % names)
        return name, stack

    def missed(self):
        """Instructions of the switch that the program did not reach."""
        arch = gdb.newest_frame().architecture()
        count = 0
        for name in SWITCHES:
            for line in arch.disassemble(self.entries[name], count=40):
                at = gdb.execute('info symbol %d' % line['addr'], to_string=True)
                if at.split()[0] != name:
                    break
                if 'nop' not in line['asm'] and line['addr'] not in self.visited:
                    count += 1
                    print('step_backtrace: not stepped: %s' % line['asm'])
        return count

    def run(self):
        """Steps until the first frame of the last context ends the process."""
        before = 'main'
        while self.steps < STEPS_MAX:
            try:
                name, stack = self.check()
            except Broken as broken:
                at = gdb.execute('x/i $pc', to_string=True).strip()
                raise Broken('%s\nstep_backtrace:   at %s' % (broken, at)) from broken
            self.crossings += stack != before
            before = stack
            self.steps += 1
            if name == FIRST_FRAME and 'exit' in gdb.execute('x/i $pc', to_string=True):
                return
            gdb.execute('stepi', to_string=True)
        raise Broken('the program does not end')


def inside():
    """The gdb script."""
    for setting in ('pagination off', 'confirm off', 'debuginfod enabled off',
                    'backtrace past-main off', 'disable-randomization on'):
        try:
            gdb.execute('set ' + setting, to_string=True)
        except gdb.error:
            pass
    try:
        gdb.execute('break main', to_string=True)
        gdb.execute('run', to_string=True)
        gdb.newest_frame()
    except gdb.error as error:
        print('step_backtrace: skipped, gdb cannot run the program: %s' % error)
        return
    walk = Walk()
    try:
        walk.run()
        missed = walk.missed()
        if missed:
            raise Broken('%d instructions were never reached' % missed)
        if walk.steps < STEPS_MIN or walk.crossings != CROSSINGS:
            raise Broken('only %d steps, %d crossings' % (walk.steps, walk.crossings))
    except Broken as broken:
        print('step_backtrace: FAILED %s' % broken)
        return
    print('step_backtrace: ok, %d steps, %d instructions of the switch, %d crossings'
          % (walk.steps, len(walk.visited), walk.crossings))


try:
    import gdb
except ImportError:
    gdb = None

if gdb is None:
    sys.exit(outside())
else:
    inside()
    gdb.execute('kill', to_string=True)
