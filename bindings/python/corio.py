# SPDX-License-Identifier: MIT
"""corio for Python: the untyped C interface by ctypes, nothing to build.

    import corio

    with corio.Runtime() as runtime:

        @runtime.dispatcher
        def square(batch):                      # once per phase, with all that was asked
            for i in range(len(batch)):
                batch.respond(i, batch[i] ** 2)

        async def leaf(n):                      # a task, straight down
            return await square(n)

        async def root():
            tasks = [corio.go(leaf(n)) for n in range(1000)]
            await corio.wait()                  # the first error of them all, or nothing
            return [task.result for task in tasks]

        print(sum(runtime.run(root())))

Tasks are coroutines, and all of them run in one corio task, on one worker:

    root task of corio, on a corio stack          the caller's thread stack
    +-----------------------------------+         +---------------------------+
    | loop:  run coroutines until each  |  asks   | dispatch(batch), called   |
    |        asks or waits; corio_io_all| ------> | and left while the loop   |
    +-----------------------------------+         | is suspended              |
                                                  +---------------------------+

Why not a corio task for each: CPython keeps the frames of a thread in one stack of its own (PyThreadState), and expects
who entered last to leave first. Two tasks with Python frames that suspend in turns break that, and one that goes on in
another thread takes a thread state along that its first thread still uses. Coroutines keep their frames to themselves.
So there is exactly one Python frame that suspends, the loop's, and what runs meanwhile on its thread (dispatch functions)
is entered and left before it goes on. This needs workers=1, the default here, so that the loop resumes in the thread that
it began in. The same reason makes a round strict: all that was asked in a phase is answered before coroutines go on.

Dispatch functions have no such limits. They may be called by any worker, may submit slices to I/O threads, and may
complete batches from Python threads. So a runtime with many workers can run tasks written in C (run_c) with dispatchers
written in Python.

The loop has 8 MiB of stack, as Python expects. From Python 3.14 on the interpreter compares the stack pointer with the
bounds of its thread's own stack, which a corio stack lies outside of: run() refuses there, dispatchers and run_c work.
"""
import ctypes
import ctypes.util
import errno
import itertools
import os
import sys
import threading

DONE, LATER = 0, 1
_LOOP_STACK = 16 << 20  # a task is promised half of it

(EUNANSWERED, EANSWERED, ECOMPLETED, EINDEX, ECARVED, ESTACKS, ENEGATIVE, EDIFFERENT, ECLOSED,
 EBROKEN, ERECORDING) = range(-4097, -4108, -1)


# -- The C interface --


class _Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("workers", ctypes.c_uint), ("stack_bytes", ctypes.c_size_t),
                ("max_stacks", ctypes.c_size_t), ("io_permits", ctypes.c_uint), ("wait_mode", ctypes.c_int),
                ("batch_log", ctypes.c_char_p), ("check", ctypes.c_char_p), ("trace", ctypes.c_char_p),
                ("sim_seed", ctypes.c_uint64), ("report", ctypes.c_void_p), ("report_self", ctypes.c_void_p),
                ("record", ctypes.c_char_p), ("replay", ctypes.c_char_p),
                ("on_phase", ctypes.c_void_p), ("on_phase_self", ctypes.c_void_p), ("phases", ctypes.c_char_p),
                ("progress", ctypes.c_int), ("late_ns", ctypes.c_uint64), ("hold_ns", ctypes.c_uint64)]


class _Request(ctypes.Structure):
    _fields_ = [("dispatcher", ctypes.c_void_p), ("input", ctypes.c_void_p), ("output", ctypes.c_void_p),
                ("status", ctypes.c_int), ("reserved_state", ctypes.c_uint32), ("reserved_due_ns", ctypes.c_uint64),
                ("reserved_call", ctypes.c_void_p)]


# Called by C in any thread; ctypes takes the interpreter's lock for the time of the call.
_TaskFn = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_BatchFn = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class _DispatcherOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("name", ctypes.c_char_p), ("input_bytes", ctypes.c_size_t),
                ("output_bytes", ctypes.c_size_t), ("dispatch", _BatchFn), ("self", ctypes.c_void_p),
                ("max_batch", ctypes.c_size_t), ("max_in_flight", ctypes.c_size_t), ("hash", ctypes.c_void_p),
                ("save", ctypes.c_void_p), ("restore", ctypes.c_void_p), ("not_recorded", ctypes.c_bool),
                ("early_count", ctypes.c_size_t), ("early_ns", ctypes.c_uint64),
                ("dedup", ctypes.c_bool), ("cache_bytes", ctypes.c_size_t), ("key", ctypes.c_void_p),
                ("copy", ctypes.c_void_p), ("drop", ctypes.c_void_p)]


_SIGNATURES = {
    "corio_strerror": (ctypes.c_char_p, ctypes.c_int),
    "corio_runtime_create": (ctypes.c_int, ctypes.POINTER(_Options), ctypes.POINTER(ctypes.c_void_p)),
    "corio_runtime_destroy": (ctypes.c_int, ctypes.c_void_p),
    "corio_runtime_report": (ctypes.c_char_p, ctypes.c_void_p),
    "corio_run_named": (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p),
    "corio_dispatcher_add": (ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_DispatcherOptions),
                             ctypes.POINTER(ctypes.c_void_p)),
    "corio_io_all": (ctypes.c_int, ctypes.POINTER(_Request), ctypes.c_size_t),
    "corio_batch_len": (ctypes.c_size_t, ctypes.c_void_p),
    "corio_batch_phase": (ctypes.c_uint64, ctypes.c_void_p),
    "corio_batch_input": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t),
    "corio_batch_output": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t),
    "corio_batch_respond": (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t),
    "corio_batch_fail": (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int),
    "corio_batch_retry": (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint64),
    "corio_batch_slice": (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t,
                          ctypes.POINTER(ctypes.c_void_p)),
    "corio_batch_submit": (ctypes.c_int, ctypes.c_void_p, _BatchFn, ctypes.c_void_p),
    "corio_batch_complete": (ctypes.c_int, ctypes.c_void_p),
}


def _load():
    # CDLL, not PyDLL: the interpreter's lock is free while C is called.
    library = ctypes.CDLL(os.environ.get("CORIO_LIBRARY") or ctypes.util.find_library("corio") or "libcorio.so.0")
    for name, (result, *arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_lib = _load()


class Error(Exception):
    """A negative code of corio, or of a dispatcher."""

    def __init__(self, code, text=None):
        super().__init__(text or _lib.corio_strerror(code).decode())
        self.code = code


class Cancelled(BaseException):
    """Raised in a task whose siblings have failed, at its next await and at each one after that. It is no Exception, so
    that nobody swallows it."""


def _check(code):
    if code < 0:
        raise Error(code)
    return code


# -- Batches --


class Batch:
    """What a dispatch function gets: batch[i] are the inputs. See batch.h for the rules."""

    def __init__(self, dispatcher, pointer):
        self._dispatcher = dispatcher
        self._pointer = pointer

    def _alive(self):
        if self._pointer is None:
            raise Error(ECOMPLETED)
        return self._pointer

    def __len__(self):
        return _lib.corio_batch_len(self._alive())

    def __getitem__(self, i):
        """The input of request i."""
        at = _lib.corio_batch_input(self._alive(), i)
        if not at:
            raise IndexError("no such request in this batch")
        return self._dispatcher._input(at)

    @property
    def phase(self):
        return _lib.corio_batch_phase(self._alive())

    def respond(self, i, value=None):
        """Answers request i."""
        pointer = self._alive()
        at = _lib.corio_batch_input(pointer, i)
        if at:
            self._dispatcher._answer(at, _lib.corio_batch_output(pointer, i), value)
        _check(_lib.corio_batch_respond(pointer, i))

    def fail(self, i, error):
        """Answers request i with a negative code, or with an exception, which its task gets as the cause of an Error."""
        pointer = self._alive()
        code = error
        if isinstance(error, BaseException):
            at = _lib.corio_batch_input(pointer, i)
            if at:
                self._dispatcher._cause(at, error)
            code = _code(error)
        _check(_lib.corio_batch_fail(pointer, i, code))

    def retry(self, i, delay_ns=0):
        """Has request i asked again, in delay_ns nanoseconds at the earliest."""
        _check(_lib.corio_batch_retry(self._alive(), i, delay_ns))

    def slice(self, first, count):
        """A batch of its own of these requests."""
        pointer = ctypes.c_void_p()
        _check(_lib.corio_batch_slice(self._alive(), first, count, ctypes.byref(pointer)))
        return Batch(self._dispatcher, pointer.value)

    def submit(self, function):
        """Has an I/O thread call function(batch). A dispatch function that submits its own batch returns LATER."""
        pointer, self._pointer = self._alive(), None  # it is the I/O thread's, perhaps even before the call returns
        token = next(_tokens)
        _submissions[token] = (self._dispatcher, function)
        code = _lib.corio_batch_submit(pointer, _submitted, token)
        if code < 0:
            del _submissions[token]
            self._pointer = pointer
            raise Error(code)

    def complete(self):
        """Ends a batch that was kept by returning LATER; from any thread."""
        pointer = self._alive()
        self._pointer = None
        _check(_lib.corio_batch_complete(pointer))


def _code(error):
    if isinstance(error, Error):
        return error.code
    if isinstance(error, OSError) and error.errno:
        return -error.errno
    return -errno.EIO


def _answer_batch(batch, function):
    """Calls function(batch). Its exception is the error of all requests that have no answer yet."""
    try:
        result = function(batch)
    except BaseException as error:  # whatever it is, it must not go on through C
        for i in range(len(batch) if batch._pointer else 0):
            at = _lib.corio_batch_input(batch._pointer, i)
            if at:
                batch._dispatcher._cause(at, error)
        result = _code(error)
    if result == LATER:
        return LATER
    batch._pointer = None
    return result if isinstance(result, int) and result < 0 else DONE


_tokens = itertools.count(1)
_submissions = {}


@_BatchFn
def _submitted(token, pointer):
    dispatcher, function = _submissions.pop(token)
    return _answer_batch(Batch(dispatcher, pointer), function)


# -- Dispatchers --


class _Asked:
    """A question, to be awaited."""

    def __init__(self, dispatcher, value):
        self.dispatcher = dispatcher
        self.value = value

    def __await__(self):
        return (yield self)


class _Pending:
    """A question on its way."""

    def __init__(self, value):
        self.value = value
        self.answer = None
        self.cause = None


class _Callable:
    """A dispatcher: called, it gives a question to be awaited, alone or with others in all_of()."""

    pointer = None

    def __call__(self, value=None):
        return _Asked(self, value)

    def _prepare(self, value, key):
        """For a request: what is known of it while it is asked, and memory for its input and output."""
        raise NotImplementedError

    def _finish(self, key):
        """The request with this key is answered."""


class Dispatcher(_Callable):
    """Inputs and answers are Python objects. C sees a number for each; the objects stay in a table here, so that such a
    dispatcher cannot be recorded."""

    _not_recorded = True

    def __init__(self, runtime, name, dispatch, **limits):
        self._pending = {}
        self._add(runtime, name, dispatch, 8, 0, limits)

    def _add(self, runtime, name, dispatch, input_bytes, output_bytes, limits):
        self._callback = _BatchFn(lambda _, pointer: _answer_batch(Batch(self, pointer), dispatch))
        options = _DispatcherOptions(size=ctypes.sizeof(_DispatcherOptions), name=name.encode(),
                                     input_bytes=input_bytes, output_bytes=output_bytes, dispatch=self._callback,
                                     not_recorded=self._not_recorded, **limits)
        pointer = ctypes.c_void_p()
        _check(_lib.corio_dispatcher_add(runtime, ctypes.byref(options), ctypes.byref(pointer)))
        self.pointer = pointer.value

    def _find(self, at):
        return self._pending[ctypes.c_uint64.from_address(at).value]

    def _input(self, at):
        return self._find(at).value

    def _answer(self, at, _output, value):
        self._find(at).answer = value

    def _cause(self, at, error):
        self._find(at).cause = error

    def _prepare(self, value, key):
        self._pending[key] = pending = _Pending(value)
        return pending, ctypes.c_uint64(key), None

    def _finish(self, key):
        del self._pending[key]


class TypedDispatcher(Dispatcher):
    """Inputs and outputs are ctypes objects, so that tasks written in C can ask, too."""

    _not_recorded = False

    def __init__(self, runtime, name, dispatch, input_type, output_type, **limits):
        self._input_type, self._output_type = input_type, output_type
        self._add(runtime, name, dispatch, ctypes.sizeof(input_type), ctypes.sizeof(output_type), limits)

    def _input(self, at):
        return self._input_type.from_address(at)

    def _answer(self, _at, output, value):
        value = value if isinstance(value, self._output_type) else self._output_type(value)
        ctypes.memmove(output, ctypes.byref(value), ctypes.sizeof(value))

    def _cause(self, at, error):
        pass  # the task may be in C

    def _prepare(self, value, _key):
        return _prepare_typed(self._input_type, self._output_type, value)

    def _finish(self, _key):
        pass


class ForeignDispatcher(_Callable):
    """A dispatcher that a C library has added. Inputs and outputs are ctypes objects."""

    def __init__(self, pointer, input_type, output_type):
        self.pointer = pointer.value if isinstance(pointer, ctypes.c_void_p) else pointer
        self._input_type, self._output_type = input_type, output_type

    def _prepare(self, value, _key):
        return _prepare_typed(self._input_type, self._output_type, value)


def _prepare_typed(input_type, output_type, value):
    pending = _Pending(value)
    pending.answer = output_type()
    return pending, value if isinstance(value, input_type) else input_type(value), pending.answer


# -- Tasks --


class Task:
    """A coroutine with its children. `result` is there when its parent's wait has returned."""

    def __init__(self, coroutine, parent, path):
        self._coroutine = coroutine
        self._parent = parent
        self.path = path
        self.name = getattr(coroutine, "__name__", "task")
        self._spawned = 0
        self._running = {}  # children that are not complete, in spawn order
        self._failed = None  # the child whose error is the scope's
        self._started = False
        self._waiting = False
        self._cancelled = False
        self._returned = False
        self._asked = None  # what it asks for, or None
        self.result = None
        self.error = None


_here = threading.local()  # loop: the one that runs in this thread


def _loop():
    loop = getattr(_here, "loop", None)
    if loop is None or loop.task is None:
        raise Error(-errno.EPERM, "not called from a task")
    return loop


def self_task():
    """The calling task."""
    return _loop().task


def go(coroutine):
    """Spawns a coroutine as a child of the calling task. It begins when that suspends."""
    return _loop().spawn(coroutine)


class _Wait:
    def __await__(self):
        return (yield self)


def wait():
    """To be awaited: until all children of the calling task are complete. Raises the first error among them."""
    return _Wait()


class _All:
    def __init__(self, asked):
        self.asked = list(asked)

    def __await__(self):
        return (yield self)


def all_of(questions):
    """To be awaited: asks several things at once, and gives their answers. Raises the first error among them."""
    return _All(questions)


class _Loop:
    """Runs the coroutines of one run inside a corio task."""

    def __init__(self):
        self.task = None
        self.ready = []  # (task, function that resumes its coroutine)
        self.asking = {}  # tasks that ask in this phase
        self.keys = itertools.count(1)

    def spawn(self, coroutine):
        parent = self.task
        if not hasattr(coroutine, "send"):
            raise TypeError("go() takes a coroutine: go(f(x))")
        if parent is not None and parent._cancelled:
            coroutine.close()
            raise Cancelled()
        path = () if parent is None else parent.path + (parent._spawned,)
        task = Task(coroutine, parent, path)
        if parent is not None:
            parent._spawned += 1
            parent._running[task] = None
        self.send(task, None)
        return task

    def run(self, root):
        """Returns the root task when it is complete."""
        task = self.spawn(root)
        while True:
            while self.ready:
                batch, self.ready = self.ready, []
                for one, resume in batch:
                    self.step(one, resume)
            if not self.asking:
                return task
            self.ask()

    def step(self, task, resume):
        """Runs a coroutine up to its next await."""
        if task._cancelled and not task._started:
            task._coroutine.close()
            task.error = Cancelled()
            self.returned(task)
            return
        self.task = task
        task._started = True
        try:
            wanted = resume()
        except StopIteration as end:
            task.result = end.value
            self.returned(task)
        except BaseException as error:
            task.error = error
            self.returned(task)
        else:
            self.wants(task, wanted)
        finally:
            self.task = None

    def wants(self, task, wanted):
        if task._cancelled:
            self.throw(task, Cancelled())
        elif isinstance(wanted, _Wait):
            task._waiting = True
            self.look(task)
        elif isinstance(wanted, (_Asked, _All)):
            task._asked = wanted
            self.asking[task] = None
        else:
            self.throw(task, TypeError("a task can await dispatchers, all_of() and wait(), not %r" % (wanted,)))

    def send(self, task, value):
        self.ready.append((task, lambda: task._coroutine.send(value)))

    def throw(self, task, error):
        self.ready.append((task, lambda: task._coroutine.throw(error)))

    def returned(self, task):
        task._returned = True
        if task.error is not None:
            self.cancel(task)  # its children are nobody's now
        self.look(task)

    def look(self, task):
        """Goes on with a task whose children are complete."""
        if task._running:
            return
        failed, task._failed = task._failed, None
        if task._waiting:
            task._waiting = False
            if failed is not None:
                self.throw(task, failed.error)
            elif task._cancelled:
                self.throw(task, Cancelled())
            else:
                self.send(task, None)
        elif task._returned:
            if task.error is None and failed is not None:
                task.error = failed.error
            parent = task._parent
            if parent is not None:
                del parent._running[task]
                self.child_ended(parent, task)

    def child_ended(self, parent, child):
        if child.error is not None and not isinstance(child.error, Cancelled):
            if parent._failed is None or child.path < parent._failed.path:
                parent._failed = child
            self.cancel(parent)
        self.look(parent)

    def cancel(self, scope):
        """Cancels the children of a task, with all below them. What was asked and not handed over is withdrawn."""
        for task in list(scope._running):
            if task._cancelled:
                continue
            task._cancelled = True
            if task in self.asking:
                del self.asking[task]
                self.throw(task, Cancelled())
            self.cancel(task)

    def ask(self):
        """Hands over what all tasks ask for, in spawn order, and suspends until it is answered."""
        tasks = sorted(self.asking, key=lambda task: task.path)
        self.asking = {}
        asked = []
        for task in tasks:
            asked += task._asked.asked if isinstance(task._asked, _All) else [task._asked]
        requests = (_Request * len(asked))()
        kept = []
        for request, one in zip(requests, asked):
            key = next(self.keys)
            pending, source, output = one.dispatcher._prepare(one.value, key)
            request.dispatcher = one.dispatcher.pointer
            request.input = ctypes.addressof(source)
            request.output = None if output is None else ctypes.addressof(output)
            kept.append((one.dispatcher, key, pending, source))
        code = _lib.corio_io_all(requests, len(asked))
        # Where nothing could be asked at all, no request has a status of its own.
        refused = code if all(request.status == 0 for request in requests) else 0
        answers = iter([self.answer(*about, refused or request.status) for request, about in zip(requests, kept)])
        for task in tasks:
            many = isinstance(task._asked, _All)
            results = [next(answers) for _ in (task._asked.asked if many else [None])]
            task._asked = None
            failure = next((result for result in results if isinstance(result, _Failure)), None)
            if failure is not None:
                self.throw(task, failure.error)
            else:
                self.send(task, results if many else results[0])

    @staticmethod
    def answer(dispatcher, key, pending, _source, code):
        dispatcher._finish(key)
        if code == 0:
            return pending.answer
        error = Error(code)
        error.__cause__ = pending.cause
        return _Failure(error)


class _Failure:
    def __init__(self, error):
        self.error = error


# -- Runtimes --


def _file(name):
    return os.fsencode(name) if name else None


class Runtime:
    """A runtime; see corio_options. workers: more than 1 only for tasks written in C."""

    def __init__(self, workers=1, stack_bytes=0, io_permits=0, batch_log=None, check=None, trace=None, record=None,
                 replay=None):
        self._pointer = None
        self._kept = []
        if workers == 1 and not stack_bytes:
            stack_bytes = _LOOP_STACK
        options = _Options(size=ctypes.sizeof(_Options), workers=workers, stack_bytes=stack_bytes,
                           max_stacks=(1 << 36) // stack_bytes if stack_bytes else 0, io_permits=io_permits,
                           batch_log=_file(batch_log), check=_file(check), trace=_file(trace),
                           record=_file(record), replay=_file(replay))
        pointer = ctypes.c_void_p()
        _check(_lib.corio_runtime_create(ctypes.byref(options), ctypes.byref(pointer)))
        self._pointer = pointer.value
        self.workers = int(os.environ.get("CORIO_WORKERS") or workers)
        self._stack_bytes = int(os.environ.get("CORIO_STACK_BYTES") or stack_bytes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._pointer is not None:
            _check(_lib.corio_runtime_destroy(self._pointer))
            self._pointer = None
            self._kept.clear()

    @property
    def pointer(self):
        """The corio_runtime *, for functions of C libraries."""
        if self._pointer is None:
            raise Error(-errno.EINVAL, "the runtime is closed")
        return self._pointer

    def dispatcher(self, dispatch=None, *, name=None, types=None, max_batch=0, max_in_flight=0):
        """Adds a dispatch function; a decorator, with or without arguments. types: ctypes of input and output, for tasks
        written in C; without it, any objects."""
        if dispatch is None:
            return lambda function: self.dispatcher(function, name=name, types=types, max_batch=max_batch,
                                                    max_in_flight=max_in_flight)
        limits = {"max_batch": max_batch, "max_in_flight": max_in_flight}
        made = (TypedDispatcher(self.pointer, name or dispatch.__name__, dispatch, *types, **limits) if types else
                Dispatcher(self.pointer, name or dispatch.__name__, dispatch, **limits))
        self._kept.append(made)
        return made

    def foreign(self, pointer, input_type, output_type):
        """A dispatcher that a C library has added to this runtime (see `pointer`)."""
        return ForeignDispatcher(pointer, input_type, output_type)

    def run(self, root):
        """Runs a coroutine as the root task, and gives its result, or raises its error."""
        if not hasattr(root, "send"):
            raise TypeError("run() takes a coroutine: run(root())")
        refusal = self._refusal()
        if refusal is not None:
            root.close()
            raise refusal
        ended = []

        def enter(_):
            before, _here.loop = getattr(_here, "loop", None), _Loop()
            try:
                ended.append(_here.loop.run(root))
                return 0
            except BaseException as error:  # of the loop itself: an interrupt
                ended.append(error)
                return -errno.ECANCELED
            finally:
                _here.loop = before

        function = _TaskFn(enter)
        code = _lib.corio_run_named(self._pointer, b"python", ctypes.cast(function, ctypes.c_void_p), None)
        if not ended:
            root.close()
            raise Error(code)
        if isinstance(ended[0], BaseException):
            raise ended[0]
        if ended[0].error is not None:
            raise ended[0].error
        _check(code)  # of the run as a whole
        return ended[0].result

    def _refusal(self):
        """Why tasks in Python cannot run here, or None."""
        if self._pointer is None:
            return Error(-errno.EINVAL, "the runtime is closed")
        if self.workers != 1:
            return Error(-errno.EINVAL, "tasks in Python need workers=1, this runtime has %d: a Python frame must go on in "
                         "the thread that it was suspended in" % self.workers)
        if self._stack_bytes < _LOOP_STACK:
            return Error(-errno.EINVAL, "tasks in Python need stack_bytes of %d at least" % _LOOP_STACK)
        if sys.version_info >= (3, 14):
            return Error(-errno.ENOTSUP, "tasks in Python need Python 3.13 or earlier: later ones do not run on other "
                         "stacks than their thread's own")
        return None

    def run_c(self, function, argument=None, name="root"):
        """Runs a C function (int f(void *), by ctypes) as the root task, on all workers."""
        return _check(_lib.corio_run_named(self.pointer, name.encode(), ctypes.cast(function, ctypes.c_void_p),
                                           argument))

    def report(self):
        """The last report of the last run: deadlock, limit reached."""
        return _lib.corio_runtime_report(self.pointer).decode()
