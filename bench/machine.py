# SPDX-License-Identifier: MIT
"""What machine figures were measured on, in words, for the head of a table."""
import datetime
import os
import platform
import subprocess


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
        "cores": f"{os.cpu_count()}, of which this process may use {len(os.sched_getaffinity(0))}",
        "memory": f"{kib / 1024 / 1024:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": first_line(["gcc", "--version"]) or "unknown",
        "library": first_line(["git", "-C", os.path.dirname(os.path.abspath(__file__)), "describe", "--always",
                               "--dirty"]) or "unknown",
        "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()) + " (1, 5, 15 minutes, before)",
    }
