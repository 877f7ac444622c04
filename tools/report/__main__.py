# SPDX-License-Identifier: MIT
"""corio-report - makes a page of a trace: where the time of a run went.

The program is this folder, as one file that Python runs (zipapp).
"""
import argparse
import os
import sys
import tempfile

import page
import reader
import summary


def arguments():
    parser = argparse.ArgumentParser(
        prog="corio-report",
        description="Makes a page of a trace that CORIO_TRACE=file.json or corio_options.trace wrote: timeline, phases, "
                    "batches, stragglers, and where time went. The page is one file and needs no network.")
    parser.add_argument("trace", help="the trace; - for standard input")
    parser.add_argument("-o", "--output", metavar="FILE", help="the page; - for standard output (default: the trace's "
                        "name with .html in place of .json)")
    parser.add_argument("--title", help="the page's heading (default: the trace's name)")
    parser.add_argument("--partial", action="store_true",
                        help="take a trace that is not whole, of a program that was killed, as far as it goes")
    parser.add_argument("--blocks", metavar="N", type=int, default=40000,
                        help="draw at most about N stretches of tasks on their own, the longest; shorter ones are merged "
                             "with their neighbours (default: %(default)s)")
    chosen = parser.parse_args()
    if chosen.blocks < 1:
        parser.error("--blocks must be 1 or more")
    return chosen


def output_name(chosen):
    if chosen.output:
        return chosen.output
    if chosen.trace == "-":
        return "-"
    base, extension = os.path.splitext(chosen.trace)
    return (base if extension == ".json" else chosen.trace) + ".html"


def write(name, text):
    """Whole or not at all."""
    if name == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    if os.path.exists(name) and not os.path.isfile(name):
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
        return
    folder = os.path.dirname(os.path.abspath(name))
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".corio-report-")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, name)
    except BaseException:
        os.unlink(temporary)
        raise


def main():
    chosen = arguments()
    try:
        events = reader.read(chosen.trace, chosen.partial)
        if events.cut_off:
            print("corio-report: %s: %s; the page is of what comes before" % (chosen.trace, events.cut_off),
                  file=sys.stderr)
        title = chosen.title or ("a trace" if chosen.trace == "-" else os.path.basename(chosen.trace))
        write(output_name(chosen), page.make(title, summary.Summary(events, chosen.blocks)))
    except reader.Bad as bad:
        sys.exit("corio-report: %s: %s" % (chosen.trace, bad))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        sys.exit("corio-report: %s: %s" % (error.filename or output_name(chosen), error.strerror))


if __name__ == "__main__":
    main()
