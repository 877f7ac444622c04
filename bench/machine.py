# SPDX-License-Identifier: MIT
"""What machine figures were measured on, in words, for the head of a table; and waiting until nobody else uses it."""
import datetime
import os
import platform
import subprocess
import time


def first_line(command):
    """The first line that a command prints, or None if it cannot be run."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return None
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout.strip() else None


def file_value(path, name):
    try:
        with open(path, encoding="utf-8") as stream:
            for line in stream:
                if line.split(":")[0].strip() == name:
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return None


def processor():
    name = file_value("/proc/cpuinfo", "model name") or platform.machine()
    family, model = (file_value("/proc/cpuinfo", key) for key in ("cpu family", "model"))
    return f"{name} (family {family}, model {model})" if family and model else name


def describe():
    """Words for each property, in order."""
    kib = int((file_value("/proc/meminfo", "MemTotal") or "0").split()[0])
    return {
        "processor": processor(),
        "cores": f"{os.cpu_count()} ({len(os.sched_getaffinity(0))} for this process)",
        "memory": f"{kib / 1024 / 1024:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": first_line(["gcc", "--version"]) or "unknown",
        "library": first_line(["git", "-C", os.path.dirname(os.path.abspath(__file__)), "describe", "--always",
                               "--dirty"]) or "unknown",
        "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()) + " (1, 5, 15 minutes, before)",
    }


BUSY_LOOK_SECONDS = 0.1
QUIET_SHARE = 0.1  # of all processor time, in use by others


def processor_times():
    """(busy, all) ticks of all CPUs since the start; time stolen by the host counts as busy."""
    with open("/proc/stat", encoding="utf-8") as stream:
        ticks = [int(word) for word in stream.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)


def wait_until_quiet(seconds):
    """Waits until other processes leave the processors alone, at most so long. Does not keep them away afterwards."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        busy, whole = processor_times()
        time.sleep(BUSY_LOOK_SECONDS)
        busy_now, whole_now = processor_times()
        if busy_now - busy <= QUIET_SHARE * (whole_now - whole):
            return


def add_quiet_option(parser):
    parser.add_argument("--quiet", metavar="SECONDS", type=float, default=0,
                        help="before each run, wait up to so long for the processors to be left alone (default 0)")
