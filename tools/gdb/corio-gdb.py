# SPDX-License-Identifier: MIT
"""Tasks in gdb: of a live process, or of a core file.

    corio runtimes              the runtimes of the process
    corio tasks [MOST]          all tasks: state, name, spawn path, and where they are
    corio bt NUMBER|PATH        the backtrace of a task, by its number in `corio tasks`, or by its path: (3, 0, 17)
    corio core FILE             a core file of a live process, as generate-core-file makes it, with all stacks

A task that has not suspended is in the backtrace of its thread. One that has lies on a stack of its own, which no thread
has; its registers stand in the context that the switch saved there. An unwinder makes that context the caller of the
selected thread's frame for as long as a backtrace takes, so that no register is written, and core files will do.

Needs libcorio's debugging information. All but `corio core` read nothing but memory: the process may have stopped anywhere. What is being
changed at that moment may be shown as it was before, or twice.

What the library keeps where: runtime/phase/runtime.h (cr_runtimes), runtime/stack/pool.h, runtime/io/io.h, asm/.
"""
import re

import gdb
import gdb.unwinder

LINE = 64       # bytes; stacks' heads begin at one
COLOURS = 32    # CR_STACK_COLOURS
SINGLE = 1      # CR_ENTRY_SINGLE
OPEN, SUBMITTED, COMPLETE, STATES = 0, 1, 2, 4  # corio_batch.state
OURS = re.compile(r"(^|/)runtime/(base|stack|task|observe|sched|io|phase|sync)/\w+\.[ch]$")
PLACED = 300    # tasks whose place in the source is looked for
MOST = 200

# Where a context keeps what, from its address, as drawn in asm/; and the stack pointer of whoever called the switch.
FRAMES = {
    "i386:x86-64": ({"r12": 0x08, "r13": 0x10, "r14": 0x18, "r15": 0x20, "rbx": 0x28, "rbp": 0x30, "rip": 0x38},
                    "rip", "rsp", 0x40),
    "aarch64": (dict([("x%d" % (19 + i), 0x40 + 8 * i) for i in range(11)] + [("x30", 0x98), ("pc", 0x98)]),
                "pc", "sp", 0xb0),
}


def pointer(value):
    return int(value.cast(gdb.lookup_type("unsigned long")))


def type_of(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error:
        raise gdb.GdbError("corio: no debugging information for libcorio (no type %s)" % name) from None


def at(address, name):
    return gdb.Value(address).cast(type_of(name).pointer()).dereference()


def chain(first, link):
    """The elements of a list that hangs at the pointer `first`."""
    while pointer(first) != 0:
        yield first.dereference()
        first = first[link]


def name_of(value):
    try:
        return value.string(errors="replace") if pointer(value) != 0 else "?"
    except gdb.error:
        return "?"


def runtimes():
    try:
        first = gdb.parse_and_eval("cr_runtimes")
    except gdb.error:
        raise gdb.GdbError("corio: this program has no libcorio, or no debugging information for it") from None
    return list(chain(first, "next"))


# -- Tasks --

class Task:
    """A task, or a closure that has not become one (task is None)."""

    def __init__(self, path, name, state):
        self.path = path
        self.name = name
        self.state = state
        self.park = None        # it is suspended
        self.thread = None      # it runs
        self.on = None          # its frame lies on the stack of this task

    def title(self):
        return "%s (%s)" % (self.name, ", ".join(map(str, self.path)))


def path_of(task):
    path = []
    while pointer(task["parent"]) != 0:
        path.append(int(task["index"]))
        task = task["parent"].dereference()
    return tuple(reversed(path))


class Stacks:
    """Which slot an address lies in, and the head of a slot."""

    def __init__(self, pool):
        self.low = pointer(pool["memory"])
        self.slot_bytes = int(pool["slot_bytes"])
        self.made = int(pool["made"])
        self.type = type_of("cr_stack")
        self.head = (self.type.sizeof + LINE - 1) // LINE * LINE

    def slot(self, address):
        slot = (address - self.low) // self.slot_bytes
        return slot if 0 <= slot < self.made else None

    def stack(self, slot):
        return at(self.low + (slot + 1) * self.slot_bytes - slot % COLOURS * LINE - self.head, "cr_stack")

    def in_use(self):
        for slot in range(self.made):
            stack = self.stack(slot)
            if int(stack["in_use"]) != 0:
                yield slot, stack


class Runtime:
    """Collects the tasks of one runtime."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.sched, self.io = runtime["sched"], runtime["io"]
        self.stacks = Stacks(self.sched["pool"])
        self.tasks = {}         # address of a corio_task: Task
        self.closures = []
        self.workers = [self.sched["workers"][i].dereference() for i in range(int(self.sched["worker_count"]))]
        self.dispatchers = [self.io["dispatchers"][i].dereference() for i in range(int(self.io["dispatcher_count"]))]
        if int(runtime["running"]) != 0:
            self.find_running()
            self.find_runnable()
            self.find_requests()
            self.find_waiting()
            self.find_parents()

    def all(self):
        return sorted(list(self.tasks.values()) + self.closures, key=lambda task: task.path)

    def add(self, task, state):
        """The Task of a corio_task; the first state that is found for it counts."""
        address = pointer(task.address)
        if address not in self.tasks:
            self.tasks[address] = Task(path_of(task), name_of(task["name"]), state)
        return self.tasks[address]

    def add_park(self, park, state):
        task = park["task"].dereference()
        known = self.tasks.get(pointer(task.address))
        if known is None:
            self.add(task, state).park = park

    # -- Those that run --

    def find_running(self):
        threads = self.threads_by_slot()
        for worker in self.workers:
            if pointer(worker["task"]) == 0 or pointer(worker["stack"]) == 0:
                continue
            thread = threads.get(int(worker["stack"]["slot"]))
            said = "" if thread is None else ", thread %d" % thread.num
            self.add(worker["task"].dereference(), "runs on worker %d%s" % (int(worker["number"]), said)).thread = thread

    def threads_by_slot(self):
        found = {}
        selected = gdb.selected_thread()
        for thread in gdb.selected_inferior().threads():
            try:
                thread.switch()
                slot = self.stacks.slot(pointer(gdb.newest_frame().read_register("sp")))
            except gdb.error:
                continue
            if slot is not None:
                found[slot] = thread
        if selected is not None:
            selected.switch()
        return found

    # -- Those that can run --

    def add_item(self, item):
        if pointer(item["fn"]) == 0:
            self.add_park(item["park"].dereference(), "can run")
            return
        owner = item["scope"]["owner"]
        path = path_of(owner.dereference()) + (int(item["index_bytes"]) >> 8,) if pointer(owner) != 0 else ()
        self.closures.append(Task(path, name_of(item["name"]), "has not started"))

    def find_runnable(self):
        for worker in self.workers:
            for deque in (worker["deque"], worker["behind"]):
                array = deque["array"].cast(type_of("cr_deque_array").pointer())
                mask = int(array["mask"])
                for number in range(int(deque["top"]), int(deque["bottom"])):
                    self.add_item(array["slots"][number & mask])
            for park in chain(worker["overflow"], "next"):
                self.add_park(park, "can run")
            for park in chain(worker["settling"], "next"):
                self.add_park(park, "goes on when the step ends")
            share = worker["range"]
            for number in range(int(share["next"]), int(share["end"])):
                self.add_park(at(pointer(self.sched["resume"][number]["what"]), "cr_park"), "can run, its answer is there")
        for number in range(int(self.sched["starved_count"])):
            self.add_item(self.sched["starved"][number])
        if int(self.sched["active"]) == 0:
            for number in range(int(self.io["ready_count"])):
                ready = self.io["ready"][number]
                for i in range(int(ready["count"])):
                    self.add_park(at(pointer(ready["parks"][i]["what"]), "cr_park"), "resumes at this boundary")

    # -- Those that wait for I/O --

    def add_entries(self, items, begin, end, state):
        for number in range(begin, end):
            request = at(pointer(items[number]["what"]) & ~SINGLE, "corio_request")
            call = request["reserved_call"].cast(type_of("cr_call").pointer())
            self.add_park(call["park"], state)

    def find_requests(self):
        self.find_batches()
        for number, dispatcher in enumerate(self.dispatchers):
            name = name_of(dispatcher["options"]["name"])
            for worker in self.workers:
                asked = worker["asked"].cast(type_of("cr_entries").pointer())[number]
                self.add_entries(asked["items"], int(asked["begin"]), int(asked["count"]),
                                 "has asked %s, in the next batch" % name)
            for entries, state in ((dispatcher["queue"], "waits until %s takes more"), (dispatcher["retries"], "asks %s again")):
                self.add_entries(entries["items"], int(entries["begin"]), int(entries["count"]), state % name)
        for retry in chain(self.io["delayed"], "behind"):
            self.add_entries(retry["entry"].address, 0, 1, "asks again later")

    def find_batches(self):
        for batch in chain(self.io["batches"], "next_all"):
            if int(batch["state"]) % STATES in (OPEN, SUBMITTED):
                held = "in the hands of" if int(batch["state"]) % STATES == OPEN else "submitted by"
                self.add_batch(batch, held)
        for batch in chain(self.io["replies"], "next"):
            self.add_batch(batch, "answered by")

    def add_batch(self, batch, held):
        """Its own entries: those of slices made of it are the slices'."""
        state = "waits for I/O, batch %d, %s %s" % (int(batch["number"]), held,
                                                    name_of(batch["dispatcher"]["options"]["name"]))
        begin = 0
        for number in range(int(batch["carve_count"])):
            carve = batch["carves"][number]
            self.add_entries(batch["entries"], begin, int(carve["first"]), state)
            begin = int(carve["first"]) + int(carve["count"])
        self.add_entries(batch["entries"], begin, int(batch["count"]), state)

    # -- Those that wait for something else --

    def find_waiting(self):
        for _, stack in self.stacks.in_use():
            if pointer(stack["park"]) != 0:
                park = stack["park"].dereference()
                self.add_park(park, name_of(park["reason"]["text"]) + self.object_of(park))

    def object_of(self, park):
        """What it waits for, and who has it."""
        if pointer(park["reason"]["holder"]) == 0:
            return ""
        said = " for %#x" % pointer(park["object"])
        if "mutex" in name_of(park["reason"]["text"]):
            mutex = at(pointer(park["object"]), "corio_mutex")
            holder = mutex["reserved_holder"].cast(type_of("corio_task").pointer())
            if pointer(holder) != 0 and self.stacks.slot(pointer(holder)) is not None:
                said += ", held by %s (%s)" % (name_of(holder["name"]), ", ".join(map(str, path_of(holder.dereference()))))
        return said

    # -- Those that have called a child as a function --

    def find_parents(self):
        on_slot = {}
        for task in self.tasks.values():
            slot = self.slot_of(task)
            if slot is not None:
                on_slot[slot] = task
        for address in list(self.tasks):
            parent = at(address, "corio_task")["parent"]
            while pointer(parent) != 0 and pointer(parent) not in self.tasks:
                task = self.add(parent.dereference(), "waits for a child that it called")
                task.on = on_slot.get(self.stacks.slot(pointer(parent)))
                if task.on is None:
                    task.state = "is between two states"
                parent = parent["parent"]

    def slot_of(self, task):
        if task.park is not None:
            return int(task.park["stack"]["slot"])
        for worker in self.workers:
            if task.thread is not None and pointer(worker["task"]) in self.tasks and \
                    self.tasks[pointer(worker["task"])] is task:
                return int(worker["stack"]["slot"])
        return None


# -- Backtraces --

class ContextUnwinder(gdb.unwinder.Unwinder):
    """While it has a context: the caller of the innermost frame is whoever saved that."""

    def __init__(self):
        super().__init__("corio")
        self.context = None
        self.innermost = None

    def __call__(self, pending):
        if self.context is None or pointer(pending.read_register("sp")) != self.innermost:
            return None
        registers, _, stack_pointer, frame_bytes = FRAMES[pending.architecture().name()]
        word = gdb.lookup_type("unsigned long")
        read = lambda offset: gdb.Value(self.context + offset).cast(word.pointer()).dereference()
        info = pending.create_unwind_info(FrameId(self.context, pointer(pending.read_register("pc"))))
        for name, offset in registers.items():
            info.add_saved_register(name, read(offset))
        info.add_saved_register(stack_pointer, gdb.Value(self.context + frame_bytes).cast(word))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp = gdb.Value(sp)
        self.pc = gdb.Value(pc)


UNWINDER = ContextUnwinder()


class Context:
    """with Context(park): the innermost frame's callers are those of the suspended stack."""

    def __init__(self, park):
        self.address = pointer(park["context"])
        name = gdb.selected_frame().architecture().name()
        if name not in FRAMES:
            raise gdb.GdbError("corio: the context switch of %s is not known here" % name)

    def __enter__(self):
        UNWINDER.innermost = pointer(gdb.newest_frame().read_register("sp"))
        UNWINDER.context = self.address
        gdb.invalidate_cached_frames()

    def __exit__(self, *_):
        UNWINDER.context = None
        gdb.invalidate_cached_frames()


def is_ours(frame):
    symtab = frame.find_sal().symtab
    return (frame.name() or "").startswith(("cr_", "corio_")) or \
        symtab is not None and OURS.search(symtab.filename) is not None


def place_of(frame):
    """The first frame that is the program's own: function, file, line."""
    while frame is not None and is_ours(frame):
        frame = frame.older()
    if frame is None:
        return ""
    sal = frame.find_sal()
    where = "%s:%d" % (sal.symtab.filename.rsplit("/", 1)[-1], sal.line) if sal.symtab else "%#x" % frame.pc()
    return "%s at %s" % (frame.name() or "??", where)


def where(task):
    try:
        if task.park is not None:
            with Context(task.park):
                return place_of(gdb.newest_frame().older())
        if task.thread is not None:
            task.thread.switch()
            return place_of(gdb.newest_frame())
    except (gdb.error, gdb.MemoryError):
        pass
    return ""


def collect():
    """[(runtime, its tasks in order of their paths)], numbered through."""
    return [Runtime(runtime) for runtime in runtimes()]


def in_order(found):
    return [task for runtime in found for task in runtime.all()]


def keep_thread(function):
    def kept(*arguments):
        thread = gdb.selected_thread()
        frame = None
        try:
            frame = gdb.selected_frame().level() if thread is not None else None
        except gdb.error:
            pass
        try:
            return function(*arguments)
        finally:
            if thread is not None and thread.is_valid():
                thread.switch()
                if frame:
                    gdb.execute("frame %d" % frame, to_string=True)
    return kept


# -- Commands --

class Corio(gdb.Command):
    """Tasks of corio: corio runtimes, corio tasks, corio bt, corio core."""

    def __init__(self):
        super().__init__("corio", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class CorioRuntimes(gdb.Command):
    """List the runtimes of the process: corio runtimes."""

    def __init__(self):
        super().__init__("corio runtimes", gdb.COMMAND_STATUS)

    def invoke(self, _argument, _from_tty):
        for number, runtime in enumerate(runtimes(), 1):
            sched, io = runtime["sched"], runtime["io"]
            state = "phase %d, %d of %d workers active" % (int(sched["phase"]), int(sched["active"]),
                                                           int(sched["worker_count"]))
            print("runtime %d at %#x: %s, %d requests in flight" % (
                number, pointer(runtime.address), state if int(runtime["running"]) else "does not run",
                int(io["in_flight"])))


class CorioTasks(gdb.Command):
    """List the tasks of all runtimes: corio tasks [MOST].

In order of spawn path: number, name and path, what it does or waits for, and where. At most MOST (200) are printed."""

    def __init__(self):
        super().__init__("corio tasks", gdb.COMMAND_STATUS)

    @keep_thread
    def invoke(self, argument, _from_tty):
        most = int(argument) if argument.strip().isdigit() else MOST
        number = 0
        for index, runtime in enumerate(collect(), 1):
            tasks = runtime.all()
            print("runtime %d at %#x: %d tasks" % (index, pointer(runtime.runtime.address), len(tasks)))
            for task in tasks:
                number += 1
                if number > most:
                    continue
                place = where(task) if number <= PLACED else ""
                print("  %-3d %s: %s%s" % (number, task.title(), task.state, "; " + place if place else ""))
        if number > most:
            print("  and %d more" % (number - most))


class CorioBacktrace(gdb.Command):
    """Print the backtrace of a task: corio bt NUMBER|PATH.

NUMBER is that of `corio tasks`. PATH is a spawn path with parentheses: (3, 0, 17); () is the root."""

    def __init__(self):
        super().__init__("corio bt", gdb.COMMAND_STACK)

    def find(self, argument):
        argument = argument.strip()
        tasks = in_order(collect())
        if argument.isdigit():
            found = tasks[int(argument) - 1:int(argument)] if int(argument) > 0 else []
        elif argument.startswith("(") and argument.endswith(")"):
            try:
                path = tuple(int(index) for index in argument[1:-1].replace(",", " ").split())
            except ValueError:
                raise gdb.GdbError("corio: not a spawn path: " + argument) from None
            found = [task for task in tasks if task.path == path]
        else:
            raise gdb.GdbError("corio bt NUMBER|PATH: a number of `corio tasks`, or a spawn path such as (3, 0, 17)")
        if not found:
            raise gdb.GdbError("corio: no such task: " + argument)
        return found

    @keep_thread
    def invoke(self, argument, _from_tty):
        for task in self.find(argument):
            print("task %s: %s" % (task.title(), task.state))
            if task.on is not None:
                print("on the stack of %s:" % task.on.title())
            self.print_frames(task.on or task)

    def print_frames(self, task):
        if task.park is not None:
            with Context(task.park):
                text = gdb.execute("backtrace", to_string=True)
            # Frame 0 is the selected thread's.
            lines = text[text.index("\n#1 ") + 1:] if "\n#1 " in text else ""
            print(renumbered(lines), end="")
        elif task.thread is not None:
            task.thread.switch()
            gdb.execute("backtrace")
        else:
            print("(it has no frames yet)" if task.state == "has not started" else "(its thread is not known)")


class CorioCore(gdb.Command):
    """Write a core file that has the stacks of all tasks: corio core FILE.

gdb's own generate-core-file stops at the first page that it cannot read, and stacks have guard pages. This takes them
away for as long as that takes. Core files that the kernel writes need no such thing."""

    def __init__(self):
        super().__init__("corio core", gdb.COMMAND_DATA, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, _from_tty):
        if not argument.strip():
            raise gdb.GdbError("corio core FILE")
        locking = gdb.parameter("scheduler-locking")
        gdb.execute("set scheduler-locking on")
        try:
            self.guards(False)
            try:
                gdb.execute("generate-core-file " + argument)
            finally:
                self.guards(True)
        finally:
            gdb.execute("set scheduler-locking " + locking)

    def guards(self, install):
        for runtime in runtimes():
            gdb.parse_and_eval("cr_stack_pool_guards((cr_stack_pool *)%d, %d)" % (
                pointer(runtime["sched"]["pool"].address), install))


def renumbered(text):
    out = []
    for line in text.splitlines():
        number = line[1:].split(" ", 1)[0]
        if line.startswith("#") and number.isdigit():
            line = "#%-3d%s" % (int(number) - 1, line[1 + len(number):].lstrip(" ").rjust(0))
        out.append(line + "\n")
    return "".join(out)


Corio()
CorioRuntimes()
CorioTasks()
CorioBacktrace()
CorioCore()
gdb.unwinder.register_unwinder(gdb.current_objfile(), UNWINDER, True)
