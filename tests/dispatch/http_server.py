#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""http_server.py [PORT [open]] - the server that test_http.c asks. It prints `port N` when it is ready.

    /value/N          "value N"
    /echo             method, header X-Test and body, a line each
    /status/N         that status
    /flaky/KEY/N      503 the first N times, then 200
    /drop/KEY/N       the connection is closed without an answer the first N times, then 200
    /hold/KEY         answers when /release/KEY has been asked for; with `open` at once
    /release/KEY      see there
    /arrived/KEY      how many requests wait for KEY, or did
    /big/N            N bytes
    /redirect/N       to /redirect/N-1, and so on to 0, which is "the end"
    /garbage          no HTTP
    /figures          "connections peak": connections so far, most requests for /value answered at once
    /clear            sets both figures to zero
"""
import collections
import http.server
import sys
import threading

lock = threading.Lock()
seen = collections.Counter()
released = collections.defaultdict(threading.Event)
figures = {"connections": 0, "now": 0, "peak": 0}
opened = "open" in sys.argv[2:]


def count(key):
    with lock:
        seen[key] += 1
        return seen[key]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def setup(self):
        super().setup()
        with lock:
            figures["connections"] += 1

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        _, kind, *rest = self.path.split("/")
        getattr(self, "on_" + kind)(*rest)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def on_value(self, number):
        with lock:
            figures["now"] += 1
            figures["peak"] = max(figures["peak"], figures["now"])
        self.answer(b"value " + number.encode())
        with lock:
            figures["now"] -= 1

    def on_echo(self):
        lines = [self.command, self.headers.get("X-Test") or "", self.headers.get("Content-Type") or ""]
        self.answer("\n".join(lines).encode() + b"\n" + self.body, headers=[("X-Reply", "  two words "), ("X-Empty", "")])

    def on_status(self, status):
        self.answer(b"as you wish", int(status))

    def on_flaky(self, key, times):
        self.answer(b"flaky", 503 if count(key) <= int(times) else 200)

    def on_drop(self, key, times):
        if count(key) <= int(times):
            self.close_connection = True
        else:
            self.answer(b"kept")

    def on_hold(self, key):
        count("hold" + key)
        if not opened:
            released[key].wait()
        self.answer(b"held " + key.encode())

    def on_release(self, key):
        released[key].set()
        self.answer(b"released")

    def on_arrived(self, key):
        self.answer(str(seen["hold" + key]).encode())

    def on_big(self, size):
        self.answer(b"x" * int(size))

    def on_redirect(self, left):
        if int(left) == 0:
            self.answer(b"the end")
        else:
            self.answer(b"not here", 302, [("Location", "/redirect/" + str(int(left) - 1))])

    def on_garbage(self):
        self.close_connection = True
        self.wfile.write(b"this is not the protocol you are looking for\r\n\r\n")

    def on_figures(self):
        self.answer(f"{figures['connections']} {figures['peak']}".encode())

    def on_clear(self):
        with lock:
            figures.update(connections=0, peak=0)
        self.answer(b"cleared")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
print("port", server.server_port, flush=True)
server.serve_forever()
