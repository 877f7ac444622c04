#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bindings/python/corio.py. CORIO_LIBRARY and PYTHONPATH say where things are; see meson.build.

Usage: test_python.py TASKS_LIBRARY BLOCKING_LIBRARY
"""
import ctypes
import errno
import gc
import os
import sys
import tempfile
import threading
import unittest

import corio

tasks_library, blocking_library = sys.argv[1:3]


class Tasks(unittest.TestCase):
    def setUp(self):
        self.runtime = corio.Runtime()
        self.addCleanup(self.runtime.close)
        self.batches = []

        @self.runtime.dispatcher
        def square(batch):
            self.batches.append(len(batch))
            for i in range(len(batch)):
                batch.respond(i, batch[i] ** 2)

        self.square = square

    def test_thousands_of_tasks_meet_in_one_batch(self):
        async def leaf(n):
            first = await self.square(n)
            return first + await self.square(n + 1)

        async def root():
            tasks = [corio.go(leaf(n)) for n in range(5000)]
            await corio.wait()
            return [task.result for task in tasks]

        self.assertEqual(self.runtime.run(root()), [n * n + (n + 1) ** 2 for n in range(5000)])
        self.assertEqual(self.batches, [5000, 5000])

    def test_types_are_recorded_and_objects_are_not(self):
        with tempfile.NamedTemporaryFile() as file:
            for replay in False, True:
                called = []

                def double(batch):
                    called.append(len(batch))
                    for i in range(len(batch)):
                        batch.respond(i, 2 * batch[i].value)
                    return 0

                with corio.Runtime(**{"replay" if replay else "record": file.name}) as runtime:
                    with self.assertRaises(corio.Error) as caught:
                        runtime.dispatcher(double, name="objects")
                    self.assertEqual(caught.exception.code, -errno.ENOTSUP)
                    typed = runtime.dispatcher(double, types=(ctypes.c_int, ctypes.c_int))

                    async def ask():
                        return (await typed(21)).value

                    self.assertEqual(runtime.run(ask()), 42)
                self.assertEqual(called, [] if replay else [1])

    def test_runtime_is_reusable_and_batches_are_the_same(self):
        def once(log):
            with corio.Runtime(batch_log=log) as runtime:
                echo = runtime.dispatcher(lambda batch: [batch.respond(i, batch[i]) for i in range(len(batch))] and 0,
                                          name="echo")

                async def tree(depth):
                    await echo(depth)
                    for _ in range(3 if depth else 0):
                        corio.go(tree(depth - 1))
                    await corio.wait()
                    await echo(-depth)

                runtime.run(tree(4))
                runtime.run(tree(2))
            with open(log, encoding="utf-8") as file:
                return file.read()

        def checked(log, depth):
            with corio.Runtime(check=log) as runtime:
                echo = runtime.dispatcher(lambda batch: [batch.respond(i) for i in range(len(batch))] and 0, name="echo")

                async def ask():
                    for n in range(depth):
                        await echo(n)

                return runtime.run(ask())

        with tempfile.TemporaryDirectory() as folder:
            first = once(os.path.join(folder, "1"))
            self.assertEqual(first, once(os.path.join(folder, "2")))
            with self.assertRaises(corio.Error) as caught:
                checked(os.path.join(folder, "1"), 3)
            self.assertEqual(caught.exception.code, corio.EDIFFERENT)
            self.assertEqual(first.count("\n"), 2 * (1 + 3 + 9 + 27 + 81) + 2 * (1 + 3 + 9))

    def test_several_questions_at_once(self):
        async def root():
            return await corio.all_of(self.square(n) for n in range(10)), await corio.all_of([])

        self.assertEqual(self.runtime.run(root()), ([n * n for n in range(10)], []))
        self.assertEqual(self.batches, [10])

    def test_child_outlives_no_parent(self):
        seen = []

        async def child():
            await self.square(1)
            seen.append(corio.self_task().path)

        async def parent():
            corio.go(child())

        async def root():
            corio.go(parent())
            await corio.wait()
            return list(seen)

        self.assertEqual(self.runtime.run(root()), [(0, 0)])

    def test_first_error_cancels_the_others(self):
        done, cancelled = [], []

        async def child(n):
            try:
                if n == 3:
                    raise KeyError(n)
                await self.square(n)
                done.append(n)
            except corio.Cancelled:
                cancelled.append(n)
                raise

        async def root():
            for n in range(6):
                corio.go(child(n))
            try:
                await corio.wait()
            except KeyError as error:
                corio.go(child(7))  # the scope can be used again
                await corio.wait()
                return error.args

        self.assertEqual(self.runtime.run(root()), (3,))
        self.assertEqual(done, [7])
        self.assertEqual(cancelled, [0, 1, 2])  # 4 and 5 never began
        self.assertEqual(self.batches, [1])

    def test_error_reaches_the_caller_of_run(self):
        async def deep(n):
            if n == 0:
                raise ValueError("deep down")
            corio.go(deep(n - 1))

        with self.assertRaisesRegex(ValueError, "deep down"):
            self.runtime.run(deep(50))

    def test_foreign_awaitables_are_refused(self):
        import asyncio

        async def root():
            await asyncio.sleep(1)

        with self.assertRaises(Exception):
            self.runtime.run(root())

        class Odd:
            def __await__(self):
                yield 42

        async def odd():
            await Odd()

        with self.assertRaisesRegex(TypeError, "can await"):
            self.runtime.run(odd())

    def test_deep_recursion_is_an_error_not_a_crash(self):
        def down(n):
            return sorted([n], key=lambda m: down(m + 1))

        async def root():
            try:
                down(0)
            except RecursionError:
                return await self.square(3)

        self.assertEqual(self.runtime.run(root()), 9)

    def test_garbage_and_other_threads_meanwhile(self):
        stop = threading.Event()

        def busy():
            while not stop.is_set():
                sum(range(1000))
                try:
                    corio.go(None)
                except corio.Error as error:
                    assert error.code == -errno.EPERM

        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads:
            thread.start()

        @self.runtime.dispatcher
        def collect(batch):
            gc.collect()
            for i in range(len(batch)):
                batch.respond(i, [batch[i]])

        async def leaf(n):
            for _ in range(5):
                assert await collect(n) == [n]

        async def root():
            for n in range(100):
                corio.go(leaf(n))
            await corio.wait()

        try:
            self.runtime.run(root())
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def test_run_inside_a_task_on_another_runtime(self):
        async def inner():
            return 7

        async def root():
            with self.assertRaises(corio.Error):
                self.runtime.run(inner())
            with corio.Runtime() as other:
                n = other.run(inner())
            return n + await self.square(n)

        self.assertEqual(self.runtime.run(root()), 56)

    def test_outside_of_tasks(self):
        coroutine = corio.wait()
        self.assertIsNotNone(coroutine)
        with self.assertRaises(corio.Error):
            corio.self_task()
        with self.assertRaises(TypeError):
            self.runtime.run(42)

    def test_many_workers_are_refused_with_a_reason(self):
        async def root():
            pass

        with corio.Runtime(workers=4) as runtime:
            with self.assertRaisesRegex(corio.Error, "workers=1"):
                runtime.run(root())


class Dispatchers(unittest.TestCase):
    def setUp(self):
        self.runtime = corio.Runtime()
        self.addCleanup(self.runtime.close)

    def ask(self, dispatch, values, **options):
        dispatcher = self.runtime.dispatcher(dispatch, name="test", **options)

        async def one(value):
            try:
                return await dispatcher(value)
            except corio.Error as error:
                return error

        async def root():
            tasks = [corio.go(one(value)) for value in values]
            await corio.wait()
            return [task.result for task in tasks]

        return self.runtime.run(root())

    def test_exception_is_the_error_of_what_is_unanswered(self):
        def dispatch(batch):
            batch.respond(0, "fine")
            raise FileNotFoundError(errno.ENOENT, "gone")

        answers = self.ask(dispatch, [1, 2, 3])
        self.assertEqual(answers[0], "fine")
        self.assertEqual([error.code for error in answers[1:]], [-errno.ENOENT] * 2)
        self.assertIsInstance(answers[1].__cause__, FileNotFoundError)

    def test_faults_are_named(self):
        def gap(batch):
            batch.respond(0)

        self.assertEqual([error and error.code for error in self.ask(gap, [1, 2])], [None, corio.EUNANSWERED])
        seen = []

        def twice(batch):
            batch.respond(0, 1)
            try:
                batch.respond(0, 2)
            except corio.Error as error:
                seen.append(error.code)
            try:
                batch.respond(5)
            except corio.Error as error:
                seen.append(error.code)
            with self.assertRaises(IndexError):
                batch[5]
            seen.append(batch)

        self.assertEqual(self.ask(twice, [1])[0].code, corio.EANSWERED)
        self.assertEqual(seen[:2], [corio.EANSWERED, corio.EINDEX])
        with self.assertRaises(corio.Error) as caught:
            seen[2].respond(0)
        self.assertEqual(caught.exception.code, corio.ECOMPLETED)

    def test_slices_in_io_threads(self):
        main = threading.get_ident()

        def work(batch):
            for i in range(len(batch)):
                batch.respond(i, (batch[i], threading.get_ident() != main))

        def dispatch(batch):
            for first in range(0, len(batch), 7):
                batch.slice(first, min(7, len(batch) - first)).submit(work)
            return corio.LATER

        self.assertEqual(self.ask(dispatch, range(100)), [(n, True) for n in range(100)])

    def test_completion_from_a_thread_of_the_program(self):
        def dispatch(batch):
            def finish():
                for i in range(len(batch)):
                    batch.respond(i, batch[i] + 1)
                batch.complete()

            threading.Thread(target=finish).start()
            return corio.LATER

        self.assertEqual(self.ask(dispatch, range(50)), list(range(1, 51)))

    def test_retry_and_limits(self):
        sizes = []

        def dispatch(batch):
            sizes.append(len(batch))
            for i in range(len(batch)):
                if len(sizes) == 1:
                    batch.retry(i, 1000000)
                else:
                    batch.respond(i, batch[i])

        self.assertEqual(self.ask(dispatch, range(20), max_batch=5), list(range(20)))
        self.assertEqual(max(sizes), 5)
        self.assertGreaterEqual(len(sizes), 5)

    def test_fail_with_an_exception(self):
        def dispatch(batch):
            batch.fail(0, PermissionError(errno.EACCES, "no"))
            batch.fail(1, -errno.EDOM)

        answers = self.ask(dispatch, [1, 2])
        self.assertEqual([error.code for error in answers], [-errno.EACCES, -errno.EDOM])


class WithC(unittest.TestCase):
    def test_structures_and_codes_are_those_of_the_headers(self):
        library = ctypes.CDLL(tasks_library)
        sizes = (ctypes.c_size_t * 3).in_dll(library, "sizes")
        self.assertEqual(list(sizes), [ctypes.sizeof(kind) for kind in
                                       (corio._Options, corio._DispatcherOptions, corio._Request)])
        names = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, "code_names"))).decode().split()
        codes = (ctypes.c_int * len(names)).in_dll(library, "codes")
        self.assertEqual({name: code for name, code in zip(names, codes)},
                         {name: getattr(corio, name.replace("CORIO_", "", 1), None) for name in names})

    def test_dispatcher_of_a_c_library(self):
        class Call(ctypes.Structure):
            _fields_ = [("fn", ctypes.c_void_p), ("arg", ctypes.c_void_p)]

        library = ctypes.CDLL(blocking_library)
        library.corio_blocking_add.argtypes = [ctypes.c_void_p] * 3
        with corio.Runtime() as runtime:
            pointer = ctypes.c_void_p()
            self.assertEqual(library.corio_blocking_add(runtime.pointer, None, ctypes.byref(pointer)), 0)
            blocking = runtime.foreign(pointer, Call, ctypes.c_int)
            function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda arg: arg * 2)
            address = ctypes.cast(function, ctypes.c_void_p).value

            async def root():
                answers = await corio.all_of(blocking(Call(address, n)) for n in range(1, 50))
                return [answer.value for answer in answers]

            self.assertEqual(runtime.run(root()), [2 * n for n in range(1, 50)])

    def test_tasks_in_c_on_many_workers_with_a_python_dispatcher(self):
        class Argument(ctypes.Structure):
            _fields_ = [("dispatcher", ctypes.c_void_p), ("count", ctypes.c_long), ("sum", ctypes.c_long)]

        library = ctypes.CDLL(tasks_library)
        for workers in 1, 2, 8:
            with corio.Runtime(workers=workers) as runtime:
                sizes = []

                @runtime.dispatcher(types=(ctypes.c_long, ctypes.c_long))
                def square(batch):
                    sizes.append(len(batch))
                    for i in range(len(batch)):
                        batch.respond(i, batch[i].value ** 2)

                argument = Argument(square.pointer, 1000, 0)
                runtime.run_c(library.square_all, ctypes.addressof(argument))
                self.assertEqual(argument.sum, sum(n * n for n in range(1000)))
                self.assertEqual(sizes, [1000])
                with self.assertRaises(corio.Error) as caught:
                    runtime.run_c(library.fail, None)
                self.assertEqual(caught.exception.code, -errno.EDOM)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
