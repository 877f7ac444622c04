#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""server.py PROGRAM - talks to examples/server by sockets: with io_uring, where that is forbidden, and with threads.

Statuses, requests in pieces and in heaps, limits, clients that are slow or many, the end by a signal, and the end by
kill -9, after which everything that was acknowledged is there. h2load, where there is one, gives it some load.
"""
import atexit
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

from common import on_full_disk

PROGRAM = sys.argv[1]


def forbid_uring():
    """In the child: io_uring_setup (425 on every machine) gives EPERM from now on, as in many containers."""
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, header, 0, 0) != 0:
        os._exit(99)


class Server:
    """The program, from its first line to its end."""

    def __init__(self, mode, database, *options):
        arguments = [PROGRAM, "--listen=127.0.0.1:0", "--db=" + database] + list(options)
        if mode == "threaded":
            arguments.append("--threaded")
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=forbid_uring if mode == "poll" else None)
        atexit.register(self.process.kill)  # if it is left behind by a failure
        line = self.process.stdout.readline()
        assert line, "it ended with %s" % self.process.wait()
        host, port = line.strip().rsplit(":", 1)
        self.address = (host, int(port))
        files = "/proc/%d/fd" % self.process.pid
        assert mode == "ring" or not any("io_uring" in os.readlink(os.path.join(files, name))
                                         for name in os.listdir(files)), "io_uring is not forbidden"

    def connect(self):
        return Client(self.address)

    def stop(self, number=signal.SIGTERM, status=0):
        self.process.send_signal(number)
        assert self.process.wait(60) == status, self.process.returncode
        self.process.stdout.close()


class Client:
    """One connection. Answers are read by their length; anything else is an error here."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def more(self):
        data = self.socket.recv(65536)
        self.received += data
        return data

    def ended(self):
        """Whether nothing more comes, to the end."""
        while self.more():
            pass
        return self.received == b""

    def answer(self, head_only=False):
        while b"\r\n\r\n" not in self.received:
            assert self.more(), "the end, in a head: %r" % self.received
        head, rest = self.received.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines
        headers = dict(line.split(": ", 1) for line in lines[1:])
        length = int(headers.get("Content-Length", 0)) if not head_only else 0
        self.received = rest
        while len(self.received) < length:
            assert self.more(), "the end, in a body"
        body, self.received = self.received[:length], self.received[length:]
        return int(status), headers, body

    def ask(self, method, path, body=None, headers=""):
        if body is not None:
            headers += "Content-Length: %d\r\n" % len(body)
        self.send(("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (method, path, headers)).encode() + (body or b""))
        return self.answer(method == "HEAD")

    def status(self, *arguments, **named):
        return self.ask(*arguments, **named)[0]


def statuses(server):
    with server.connect() as client:
        assert client.status("GET", "/kv/a") == 404
        assert client.status("PUT", "/kv/a", b"one") == 201
        assert client.status("PUT", "/kv/a", b"two") == 204
        status, headers, body = client.ask("GET", "/kv/a")
        assert (status, body, headers["Connection"]) == (200, b"two", "keep-alive") and "Date" in headers
        status, headers, body = client.ask("HEAD", "/kv/a")
        assert (status, body, headers["Content-Length"]) == (200, b"", "3")
        assert client.ask("HEAD", "/kv/none")[0] == 404
        assert client.status("DELETE", "/kv/a") == 204 and client.status("DELETE", "/kv/a") == 404
        assert client.status("PUT", "/kv/empty", b"") == 201 and client.ask("GET", "/kv/empty")[2] == b""
        binary = bytes(range(256))
        name = "".join("%%%02x" % i for i in range(256))
        assert client.status("PUT", "/kv/" + name, binary) == 201
        assert client.ask("GET", "/kv/" + name)[2] == binary
        assert client.status("GET", "/kv/" + name[:-3]) == 404, "another key"
        for path, status in {"/": 404, "/kv": 404, "/kv/": 404, "/other": 404, "/kv/%4": 400, "/kv/%g1": 400,
                             "/kv/" + "k" * 257: 414}.items():
            assert client.status("GET", path) == status, path
        for path, allowed in {"/kv/a": "GET, HEAD, PUT, DELETE", "/stats": "GET, HEAD"}.items():
            status, headers, _ = client.ask("POST", path, b"x")
            assert (status, headers["Allow"]) == (405, allowed), headers
        # Bodies in chunks, after an interim answer, and beside an offer to speak something else.
        client.send("PUT /kv/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert client.answer()[0] == 201 and client.ask("GET", "/kv/c")[2] == b"abcde"
        client.send("PUT /kv/c HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert client.answer()[0] == 100
        client.send("xyz")
        assert client.answer()[0] == 204
        assert client.ask("GET", "/kv/c", None, "Connection: Upgrade\r\nUpgrade: h2c\r\n")[2] == b"xyz"
        stats = json.loads(client.ask("GET", "/stats")[2])
        assert stats["requests"] > 20 and 0 < stats["writes"]["commits"] <= stats["writes"]["batches"], stats
        status, headers, _ = client.ask("GET", "/kv/c", None, "Connection: close\r\n")
        assert (status, headers["Connection"]) == (200, "close") and client.ended()
    for version, keep in ("", False), ("Connection: keep-alive\r\n", True):
        with server.connect() as client:
            client.send("GET /kv/c HTTP/1.0\r\n%s\r\n" % version)
            status, headers, _ = client.answer()
            assert (status, headers["Connection"]) == (200, "keep-alive" if keep else "close")
            assert keep or client.ended()


def refusals(server):
    """Each ends its connection, after an answer that arrives although more was being sent."""
    head = "PUT /kv/a HTTP/1.1\r\n"
    for data, status in ((b"what is this\r\n\r\n", 400),
                         (b"GET /kv/a HTTP/1.1\r\nbad header\r\n\r\n", 400),
                         (head + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
                         (head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                         (b"GET /kv/a HTTP/2.0\r\n\r\n", 505),
                         (b"GET /kv/" + b"k" * 2000 + b" HTTP/1.1\r\n\r\n", 414),
                         ("GET /kv/a HTTP/1.1\r\nX: " + "x" * 20000 + "\r\n\r\n", 431),
                         ("GET /kv/a HTTP/1.1\r\n" + "X: x\r\n" * 20000 + "\r\n", 431),
                         (head + "Content-Length: 1048577\r\n\r\n" + "x" * 1048577, 413),
                         (head + "Transfer-Encoding: chunked\r\n\r\n" + "10000\r\n%s\r\n" % ("x" * 65536) * 17, 413)):
        with server.connect() as client:
            client.send(data)
            got, headers, _ = client.answer()
            assert (got, headers["Connection"]) == (status, "close"), (got, status, data[:50])
            client.socket.shutdown(socket.SHUT_WR)
            assert client.ended()
    with server.connect() as client:
        big = os.urandom(1048576)
        assert client.status("PUT", "/kv/big", big) == 201 and client.ask("GET", "/kv/big")[2] == big


def pieces_and_heaps(server):
    with server.connect() as client:
        for byte in b"PUT /kv/slow HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello":
            client.send(bytes([byte]))
        assert client.answer()[0] == 201
        heap = b"".join(b"PUT /kv/p%d HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (i % 7, len(b"%d" % i), b"%d" % i) +
                        b"GET /kv/p%d HTTP/1.1\r\n\r\n" % (i % 7) for i in range(100))
        client.send(heap)
        for i in range(100):
            assert client.answer()[0] == (201 if i < 7 else 204)
            assert client.answer()[2] == b"%d" % i, "not in order"
        # Answers of 100 MiB to a client that reads nothing before it has sent all.
        client.send(b"GET /kv/big HTTP/1.1\r\n\r\n" * 100)
        for _ in range(100):
            assert len(client.answer()[2]) == 1048576


def many(server):
    clients = [server.connect() for _ in range(500)]
    for i, client in enumerate(clients):
        client.send("PUT /kv/m%d HTTP/1.1\r\nContent-Length: 3\r\n\r\n%03d" % (i, i))
    assert all(client.answer()[0] == 201 for client in clients)
    for i, client in enumerate(clients):
        client.send("GET /kv/m%d HTTP/1.1\r\n\r\n" % (499 - i))
    for i, client in enumerate(clients):
        assert client.answer()[2] == b"%03d" % (499 - i)
        client.socket.close()


def load(server):
    h2load = shutil.which("h2load")
    if not h2load:
        return
    url = "http://%s:%d/kv/p1" % server.address
    done = subprocess.run([h2load, "--h1", "-n2000", "-c64", "-t1", url], capture_output=True, text=True, check=True)
    assert "2000 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout
    with server.connect() as client:
        stats = json.loads(client.ask("GET", "/stats")[2])
        batched = stats["mode"] == "batched"
        assert (stats["reads"]["batches"] < stats["reads"]["requests"]) == batched, stats


def ends_by_signal(server):
    """The idle are let go, what has begun is finished, and nothing new is taken."""
    with server.connect() as idle, server.connect() as begun:
        assert idle.status("GET", "/kv/p1") == 200 and begun.status("GET", "/kv/p1") == 200
        begun.send("PUT /kv/last HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert begun.answer()[0] == 100  # so it is known to have begun
        server.process.send_signal(signal.SIGINT)
        assert idle.ended()
        try:
            with server.connect() as late:
                assert late.ended()
        except OSError:
            pass
        begun.send("word")
        status, headers, _ = begun.answer()
        assert (status, headers["Connection"]) == (201, "close") and begun.ended(), (status, headers)
    assert server.process.wait(60) == 0
    server.process.stdout.close()


def slow_clients(mode, folder):
    server = Server(mode, os.path.join(folder, "slow.db"), "--timeout=1", "--connections=3")
    with server.connect() as silent, server.connect() as partial, server.connect() as dripping:
        partial.send("GET /kv/a HTT")
        dripping.send("GET /kv/a HTTP/1.1\r\nX: ")
        with server.connect() as fourth:  # accepted when one of the three has ended
            fourth.send("GET /kv/a HTTP/1.1\r\n\r\n")
            assert fourth.answer()[0] == 404
        assert silent.ended(), "an idle connection gets no answer"
        assert partial.answer()[0] == 408
        dripping.send("x")
        assert dripping.answer()[0] == 408
    # One that takes nothing: it is let go, and the server ends.
    with server.connect() as greedy:
        greedy.status("PUT", "/kv/big", b"x" * 1048576)
        greedy.send(b"GET /kv/big HTTP/1.1\r\n\r\n" * 50)
        server.stop()


def killed(mode, folder):
    """PUTs by several clients until the server is killed; what was acknowledged is there, in that version or a later."""
    database = os.path.join(folder, "killed.db")
    acknowledged, sent = {}, {}
    chance = random.Random(1)
    for _ in range(3):
        server = Server(mode, database)
        enough, refused = threading.Semaphore(0), []

        def write(own, server=server, enough=enough, refused=refused):
            try:
                with server.connect() as client:
                    while True:
                        key = "w%d-%d" % (own, chance.randrange(50))
                        sent[key] = sent.get(key, 0) + 1
                        status = client.status("PUT", "/kv/" + key, b"%d" % sent[key])
                        if status in (201, 204):
                            acknowledged[key] = sent[key]
                        else:
                            refused.append(status)
                        enough.release()
            except (OSError, AssertionError):
                pass  # it was killed

        writers = [threading.Thread(target=write, args=(i,)) for i in range(8)]
        for writer in writers:
            writer.start()
        for _ in range(chance.randrange(100, 300)):
            assert enough.acquire(timeout=60), "no answer"
        server.stop(signal.SIGKILL, -signal.SIGKILL)
        for writer in writers:
            writer.join()
        assert not refused, refused
    server = Server(mode, database)
    with server.connect() as client:
        for key, version in acknowledged.items():
            status, _, body = client.ask("GET", "/kv/" + key)
            assert status == 200 and version <= int(body) <= sent[key], (key, version, sent[key], body)
    server.stop()
    return len(acknowledged)


def mistakes(folder):
    def run(*arguments):
        return subprocess.run([PROGRAM] + list(arguments), capture_output=True, check=False).returncode

    assert run("--help") == 0
    for option in "--help", "--listen=127.0.0.1:0":
        status, words = on_full_disk([PROGRAM, option, "--db=" + os.path.join(folder, "x.db")])
        assert status == 3 and "No space" in words, (status, words)
    for wrong in ("--what", "word", "--workers=0", "--workers=4x", "--workers= 4", "--workers=", "--connections=x",
                  "--connections=+1", "--timeout=-1", "--timeout=99999999999999999999", "--listen=nonsense",
                  "--listen=127.0.0.1:99999", "--listen=127.0.0.1:80x", "--listen=:0"):
        assert run(wrong) == 2, wrong
    assert run("--listen=[]:0") == 3
    assert run("--listen=127.0.0.1:0", "--db=" + folder) == 3
    assert run("--threaded", "--listen=127.0.0.1:0", "--db=" + folder) == 3


def main():
    with tempfile.TemporaryDirectory() as folder:
        mistakes(folder)
        for mode in "ring", "poll", "threaded":
            server = Server(mode, os.path.join(folder, mode + ".db"))
            for part in statuses, refusals, pieces_and_heaps, many, load, ends_by_signal:
                part(server)
            slow_clients(mode, folder)
            print("%s: %d keys acknowledged before kill -9" % (mode, killed(mode, folder)))
            os.remove(os.path.join(folder, "killed.db"))
            os.remove(os.path.join(folder, "slow.db"))


main()
