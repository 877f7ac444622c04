#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""server.py PROGRAM - examples/server in batches beside a thread per connection: throughput and latency, by wrk.

Keys and values are random, 10,000 keys, values of about 100 bytes. The two ways take turns within each round; the figures are
medians over the rounds. --sync-us makes every fdatasync take that much longer, for disks slower than this one.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import urllib.request

SCRIPTS = {
    "GET": 'request = function() return wrk.format("GET", "/kv/key" .. math.random(10000)) end',
    # A value that is the one that is there would not be written.
    "PUT": 'local n = 0; request = function() n = n + 1; return wrk.format("PUT", "/kv/key" .. math.random(10000), nil, '
           'n .. math.random() .. string.rep("v", 80)) end',
}
SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
int fdatasync(int fd)
{
    usleep((useconds_t)atoi(getenv("SYNC_US")));
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
"""


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def measure(options, folder, environment, way, method, connections):
    command = [options.program, "--listen=127.0.0.1:0", "--db=" + os.path.join(folder, "db"), "--connections=1000"]
    server = subprocess.Popen(command + (["--threaded"] if way == "threads" else []), stdout=subprocess.PIPE, text=True,
                              env=environment)
    url = "http://" + server.stdout.readline().strip()
    script = os.path.join(folder, method + ".lua")
    text = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % options.seconds, "--latency", "-s", script, url],
                          capture_output=True, text=True, check=True).stdout
    with urllib.request.urlopen(url + "/stats") as answer:
        stats = json.load(answer)
    server.terminate()
    assert server.wait() == 0
    rate = float(re.search(r"Requests/sec: *([\d.]+)", text).group(1))
    median, worst = (milliseconds(re.search(r" %d%% +(\S+)" % n, text).group(1)) for n in (50, 99))
    return rate, median, worst, stats["writes"]["per_commit"] if method == "PUT" else stats["reads"]["per_batch"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--methods", default="GET,PUT")
    parser.add_argument("--connections", default="64,256")
    parser.add_argument("--sync-us", type=int, default=0)
    parser.add_argument("--folder", help="on the disk to be measured; default: /tmp")
    options = parser.parse_args()
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for method, text in SCRIPTS.items():
            with open(os.path.join(folder, method + ".lua"), "w", encoding="ascii") as file:
                file.write("math.randomseed(os.time())\n" + text)
        measure(options, folder, environment, "batched", "PUT", 64)  # so that there are keys
        if options.sync_us:
            library = os.path.join(folder, "slow.so")
            subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"], input=SLOW, text=True, check=True)
            environment.update(LD_PRELOAD=library, SYNC_US=str(options.sync_us))
        cases = [(m, int(c)) for m in options.methods.split(",") for c in options.connections.split(",")]
        results = {}
        for _ in range(options.rounds):
            for case in cases:
                for way in "batched", "threads":
                    results.setdefault((case, way), []).append(measure(options, folder, environment, way, *case))
    print("| requests | way | per second | median, ms | 99 %, ms | in a batch or commit |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for case in cases:
        for way in "batched", "threads":
            row = [statistics.median(column) for column in zip(*results[case, way])]
            print("| %s, %d connections | %s | %.0f | %.1f | %.0f | %.1f |" % (*case, way, *row))


main()
