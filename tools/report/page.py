# SPDX-License-Identifier: MIT
"""Writes the page. All but the timeline is there without a script."""
import collections
import html
import json
import pkgutil

CHART_BARS = 240
TABLE_ROWS = 30
SHAPES = (("cpu", "CPU phase"), ("boundary", "boundary"), ("dispatch", "in dispatch functions"), ("waiting", "waiting"))


def number(value):
    return format(int(value), ",")


def time(us):
    if us == 0:
        return "0"
    for unit, name in ((1e6, "s"), (1e3, "ms")):
        if us >= unit:
            return "%.*f %s" % (2 if us < 100 * unit else 0, us / unit, name)
    return "%.1f µs" % us


def percent(part, whole):
    return "%.0f %%" % (100 * part / whole) if whole > 0 else "-"


def text(value):
    return html.escape(str(value))


def table(headings, rows):
    """headings: those that begin with # are numbers. A cell that is a tuple is HTML as it is."""
    kinds = [" class=n" if heading.startswith("#") else "" for heading in headings]
    head = "".join("<th%s>%s</th>" % (kind, text(heading.lstrip("#"))) for heading, kind in zip(headings, kinds))
    body = "".join("<tr>" + "".join("<td%s>%s</td>" % (kind, cell[0] if isinstance(cell, tuple) else text(cell))
                                    for cell, kind in zip(row, kinds)) + "</tr>\n" for row in rows)
    return "<div class=scroll><table><thead><tr>%s</tr></thead><tbody>\n%s</tbody></table></div>" % (head, body)


def legend(items):
    return "<div class=legend>%s</div>" % "".join("<span><i style='background:var(--%s)'></i>%s</span>" % (colour, text(name))
                                                  for colour, name in items)


def bar(parts, whole):
    """parts: (colour, what, microseconds)."""
    return "<div class=bar>%s</div>" % "".join(
        "<i style='background:var(--%s);width:%.3f%%' title='%s'></i>"
        % (colour, 100 * took / whole, text("%s: %s, %s" % (what, time(took), percent(took, whole))))
        for colour, what, took in parts if took > 0)


# -- What it says at the top --

def finding(summary):
    """The one thing to look at first, in words."""
    wall = summary.wall()
    alone = sum(phase.alone for phase in summary.phases)
    if summary.waiting + summary.dispatch > wall / 2:
        slow = collections.Counter()
        for phase in summary.phases:
            if phase.batch:
                slow[phase.batch.dispatcher] += phase.latency
        which = " The slowest batches are those of %s." % slow.most_common(1)[0][0] if slow else ""
        return "Most of the time, %s, is I/O: the runtime waits, or is in dispatch functions.%s" % (
            percent(summary.waiting + summary.dispatch, wall), which)
    if len(summary.workers) > 1 and alone > wall / 4 and summary.stragglers:
        return "For %s of the time one task ran while all other workers had nothing left: most often %s." % (
            percent(alone, wall), summary.stragglers[0][0])
    if summary.boundary > wall / 4:
        return "%s of the time is spent at boundaries, %s of them: phases are short. Tasks that ask for more at once make " \
               "fewer." % (percent(summary.boundary, wall), number(len(summary.phases)))
    busy = sum(summary.busy.values())
    return "Tasks ran for %s of the time of all workers." % percent(busy, wall * max(len(summary.workers), 1))


def tiles(summary):
    events = summary.events
    failed = ", %s failed" % number(events.failed) if events.failed else ""
    cells = [(time(summary.wall()), "from first to last event"), (number(len(summary.phases)), "CPU phases"),
             (number(events.finished), "tasks ended" + failed), (number(len(summary.batches)), "batches"),
             (number(sum(batch.requests for batch in summary.batches)), "requests"), (number(events.count), "events")]
    return "<div class=tiles>%s</div>" % "".join("<div class=tile><b>%s</b><span>%s</span></div>" % (text(value), text(what))
                                                 for value, what in cells)


# -- Sections --

def timeline(summary):
    left_out = []
    if summary.merged_count:
        left_out.append("%s of %s stretches are shorter than %s and drawn merged with their neighbours"
                        % (number(summary.merged_count), number(summary.stretch_count), time(summary.shortest_drawn)))
    if summary.engine_left_out:
        left_out.append("the %s shortest phases and calls of dispatchers are not drawn" % number(summary.engine_left_out))
    if len(summary.drawn_batches) < len(summary.batches):
        left_out.append("the %s shortest batches are not drawn" % number(len(summary.batches) - len(summary.drawn_batches)))
    if summary.events.log_count > len(summary.events.logs):
        left_out.append("only the first %s of %s logs are drawn" % (number(len(summary.events.logs)),
                                                                   number(summary.events.log_count)))
    note = "; ".join(left_out)
    named = [("task-%d" % i, name) for i, name in enumerate(summary.named)]
    if len(summary.by_name) > len(named):
        named.append(("other", "%s more" % number(len(summary.by_name) - len(named))))
    return """<h2>Timeline</h2>
<p>Drag to move. Click it, then turn the wheel to zoom (with Ctrl it needs no click), or use + - 0 and the arrow keys. A
double click shows all. Dots are logs.%s</p>
%s<div id=frame><div class=controls><button id=closer>closer</button><button id=farther>farther</button>
<button id=all>all</button><span id=range></span></div>
<canvas id=timeline tabindex=0 role=img aria-label="Timeline of workers, the phase engine and batches"></canvas></div>
<div id=tip hidden></div>""" % (" " + text(note[:1].upper() + note[1:]) + "." if note else "", legend(named))


def where(summary):
    wall = summary.wall()
    rest = max(wall - summary.cpu - summary.boundary - summary.dispatch - summary.waiting, 0)
    run = [("cpu", "CPU phases", summary.cpu), ("boundary", "boundary", summary.boundary),
           ("dispatch", "in dispatch functions", summary.dispatch), ("waiting", "waiting", summary.waiting),
           ("idle", "outside of phases", rest)]
    rows = ["<span>the run</span>" + bar(run, wall)]
    for worker in summary.workers:
        busy = summary.busy[worker]
        parts = [("task-1", "ran tasks", busy), ("idle", "nothing to run in CPU phases", max(summary.cpu - busy, 0)),
                 ("waiting", "between CPU phases", max(wall - max(summary.cpu, busy), 0))]
        rows.append("<span>%s</span>%s" % (text(summary.events.tracks[worker]), bar(parts, wall)))
    shares = table(["", "#time", "#share"], [(what.capitalize() if what[:3] != "CPU" else what, time(took), percent(took, wall))
                                            for _, what, took in run if took > 0])
    return "<h2>Where time went</h2>\n%s<div class=bars>%s</div>%s<div class=narrow>%s</div>" % (
        legend([(colour, what) for colour, what, took in run if took > 0]), "".join(rows),
        legend([("task-1", "worker: ran tasks"), ("idle", "worker: nothing to run in CPU phases"),
                ("waiting", "worker: between CPU phases")]), shares)


def binned(phases):
    """Phases in at most CHART_BARS groups that follow each other."""
    size = max(1, -(-len(phases) // CHART_BARS))
    return [phases[at:at + size] for at in range(0, len(phases), size)], size


def chart(groups, values, words, unit, what):
    """A bar for each group; values(group): [(colour, height)], from the ground up."""
    wide, high, left, low = 1160, 170, 70, 18
    stacks = [values(group) for group in groups]
    top = max((sum(value for _, value in stack) for stack in stacks), default=0) or 1
    step = (wide - left) / max(len(groups), 1)
    out = ["<svg viewBox='0 0 %d %d' role=img aria-label='%s'>" % (wide, high + low, text(what))]
    for part in (0, 0.5, 1):
        y = 8 + (high - 8) * (1 - part)
        out.append("<line x1=%d x2=%d y1=%.1f y2=%.1f stroke='var(--line)'/><text x=%d y=%.1f text-anchor=end>%s</text>"
                   % (left, wide, y, y, left - 8, y + 4, text(unit(top * part))))
    for at, (group, stack) in enumerate(zip(groups, stacks)):
        x, y = left + at * step, float(high)
        out.append("<g><title>%s</title>" % text(words(group)))
        for colour, value in stack:
            tall = (high - 8) * value / top
            y -= tall
            if tall > 0.05:
                out.append("<rect x=%.2f y=%.2f width=%.2f height=%.2f fill='var(--%s)'/>"
                           % (x, y, max(min(step, 44) - (1 if step > 3 else 0), 0.5), tall, colour))
        out.append("</g>")
    for at in sorted({0, len(groups) // 4, len(groups) // 2, 3 * len(groups) // 4, len(groups) - 1}):
        out.append("<text x=%.1f y=%d>%s</text>" % (left + at * step, high + 14, number(groups[at][0].number)))
    return "".join(out) + "</svg>"


def span_of(group):
    first, last = group[0].number, group[-1].number
    return "phase %s" % number(first) if len(group) == 1 else "%s phases, %s to %s" % (number(len(group)), number(first),
                                                                                   number(last))


def phase_parts(group):
    cpu = sum(phase.cpu_end - phase.begin for phase in group)
    dispatch, waiting = sum(phase.dispatch for phase in group), sum(phase.waiting for phase in group)
    boundary = max(sum(phase.end - phase.cpu_end for phase in group) - dispatch - waiting, 0)
    return [("cpu", cpu), ("boundary", boundary), ("dispatch", dispatch), ("waiting", waiting)]


def phases(summary):
    if not summary.phases:
        return ""
    groups, size = binned(summary.phases)
    names = dict(SHAPES)
    words = lambda group: span_of(group) + ": " + ", ".join("%s %s" % (names[kind], time(took))
                                                           for kind, took in phase_parts(group))
    asked = lambda group: span_of(group) + ": %s requests in %s" % (
        number(sum(phase.requests for phase in group)), time(sum(phase.end - phase.begin for phase in group)))
    together = " Each bar is %s phases together." % number(size) if size > 1 else ""
    return """<h2>Phases</h2>
<p>Time of each phase, in order.%s</p>%s<figure>%s</figure>
<h2>Batch sizes</h2>
<p>Requests handed over behind each phase.%s Many phases with few requests are questions that could be asked together.</p>
<figure>%s</figure>""" % (together, legend(SHAPES), chart(groups, phase_parts, words, time, "Time per phase"), together,
                          chart(groups, lambda group: [("requests", sum(phase.requests for phase in group))], asked,
                                lambda value: number(round(value)), "Requests per phase"))


def critical(summary):
    longest = sorted(summary.phases, key=lambda phase: phase.begin - phase.end)[:TABLE_ROWS]
    rows = []
    for phase in longest:
        show = "<button data-from=%.3f data-to=%.3f>%s</button>" % (phase.begin - summary.began, phase.end - summary.began,
                                                                    number(phase.number))
        batch = "%s, %s requests" % (phase.batch.dispatcher, number(phase.batch.requests)) if phase.batch else ""
        rows.append(((show,), time(phase.cpu_end - phase.begin), "%s %s" % (phase.straggler, phase.path),
                     time(phase.alone) if phase.straggler else "", time(phase.end - phase.cpu_end), batch,
                     ("not complete" if phase.batch.open else time(phase.latency)) if phase.batch else ""))
    more = " These are the %d longest of %s." % (TABLE_ROWS, number(len(summary.phases))) if len(summary.phases) > TABLE_ROWS else ""
    return """<h2>Critical path</h2>
<p>Phases follow each other, so each one's length counts. A CPU phase is as long as its straggler, the task that ended it; it
is alone while no other worker runs a task. An I/O phase is as long as its slowest batch.%s The number shows the phase in
the timeline.</p>
%s""" % (more, table(["#phase", "#CPU", "straggler", "#alone", "#I/O", "slowest batch", "#took"], rows))


def tasks(summary):
    out = ["<h2>Tasks by time</h2>\n<p>What ran on workers, without what was waited for.</p>",
           table(["task", "#time", "#share", "#stretches", "#longest", "it was"],
                 [(name, time(took), percent(took, sum(summary.busy.values())), number(count), time(most), path)
                  for name, (count, took, most, path) in summary.by_name[:TABLE_ROWS]]),
           "<div class=two><div><h2>Single tasks</h2>",
           table(["task", "path", "#time"], [(name, path, time(took)) for (name, path), took in summary.by_task[:15]]),
           "</div><div><h2>Stragglers</h2>",
           table(["task", "#phases ended", "#alone"], [(name, number(count), time(alone))
                                                       for name, (count, alone) in summary.stragglers[:15]]), "</div></div>"]
    return "\n".join(out)


def dispatchers(summary):
    rows = []
    for name in summary.dispatchers:
        batches = [batch for batch in summary.batches if batch.dispatcher == name]
        took = sorted(batch.took() for batch in batches)
        requests = sum(batch.requests for batch in batches)
        rows.append((name, number(len(batches)), number(requests), "%.1f" % (requests / len(batches)),
                     number(max(batch.requests for batch in batches)), time(took[len(took) // 2]), time(took[-1]),
                     time(sum(batch.handed - batch.begin for batch in batches))))
    waits = sorted(summary.events.waits.items(), key=lambda item: -item[1][1])
    return "<h2>Dispatchers</h2>\n%s\n<h2>What tasks waited for</h2>\n<p>Summed over tasks, so more than the run took.</p>\n%s" % (
        table(["dispatcher", "#batches", "#requests", "#mean", "#largest", "#median took", "#longest took", "#in dispatch"],
              rows),
        table(["what", "#times", "#time", "#longest"], [(name, number(count), time(took), time(most))
                                                        for name, (count, took, most) in waits]))


# -- For the script --

class Numbers:
    """Texts by number."""

    def __init__(self, texts):
        self.texts = list(texts)
        self.of = {name: at for at, name in enumerate(self.texts)}

    def __call__(self, name):
        if name not in self.of:
            self.of[name] = len(self.texts)
            self.texts.append(name)
        return self.of[name]


def data(summary):
    names, texts = Numbers(summary.named), Numbers([])
    at = lambda when: round(when - summary.began, 3)
    lanes = [{"kind": "worker", "label": summary.events.tracks[worker],
              "blocks": [(at(begin), at(end), names(name), path, count)
                         for begin, end, name, path, count in summary.blocks[worker]]} for worker in summary.workers]
    lanes.append({"kind": "engine", "label": "phase engine",
                  "blocks": [(at(begin), at(end), names("engine") if what in summary.named else names(what), which, requests)
                             for begin, end, what, which, requests in summary.engine]})
    for dispatcher in summary.dispatchers:
        lanes.append({"kind": "batches", "label": dispatcher,
                      "blocks": [(at(batch.begin), at(batch.end), names(""), batch.number, batch.requests, batch.open)
                                 for batch in summary.drawn_batches if batch.dispatcher == dispatcher]})
    order = {worker: lane for lane, worker in enumerate(summary.workers)}
    logs = [(order[worker], at(when), texts(said), path) for worker, when, said, path in summary.events.logs
            if worker in order]
    found = {"wall": round(summary.wall(), 3), "named": summary.named, "names": names.texts, "texts": texts.texts,
             "lanes": lanes, "logs": logs}
    return json.dumps(found, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")


def own(name):
    return pkgutil.get_data(__name__, name).decode("utf-8")


def make(title, summary):
    cut_off = summary.events.cut_off
    return """<!DOCTYPE html>
<html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>%s - corio-report</title>
<style>
%s</style></head>
<body>
<script>"use strict";
window.addEventListener("error", (event) => { document.body.dataset.error = event.message; });</script>
<h1>%s</h1>
<p class=finding>%s</p>
%s%s
%s
</body></html>
""" % (text(title), own("page.css"), text(title), text(finding(summary)),
       "<p><b>The trace is not whole:</b> %s.</p>" % text(cut_off) if cut_off else "", tiles(summary),
       "\n".join(section(summary) for section in (timeline, where, phases, critical, tasks, dispatchers)) +
       "\n<script type=application/json id=data>%s</script>\n<script>\n%s</script>" % (data(summary), own("page.js")))
