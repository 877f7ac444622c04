# SPDX-License-Identifier: MIT
"""common.py - what the tests of whole programs share."""
import os
import subprocess
import time


def wait_for_growth(process, path, size):
    """Until the file has more than size bytes, or the process has ended."""
    end = time.monotonic() + 60
    while process.poll() is None and not (os.path.exists(path) and os.path.getsize(path) > size):
        assert time.monotonic() < end, path + " does not grow"
        time.sleep(0.002)


def on_full_disk(command, **more):
    """Status and words of a program whose output has no room."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60, **more)
    return done.returncode, done.stderr
