#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""corio-report's page in a browser: what is drawn, moved and hovered over, and that no script fails.

Usage: test_report_browser.py CORIO_REPORT TEST_TRACE     exits 77 if there is no browser

A script is put behind the page's own. It looks at the canvas, moves, zooms and hovers, and writes what it finds into the page,
which the browser then prints.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# A browser that only prints the page makes no frames.
FRAMES = "<script>window.requestAnimationFrame = (draw) => setTimeout(draw, 0);</script>"
PROBE = r"""
<pre id=found></pre>
<script>
const found = {};
const canvas = document.getElementById("timeline");
function colours() {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height), seen = {};
    for (let i = 0; i < data.length; i += 4)
        if (data[i + 3] === 255) { const key = [data[i], data[i + 1], data[i + 2]].join(); seen[key] = (seen[key] || 0) + 1; }
    return Object.values(seen).filter((pixels) => pixels > 30).length;
}
function hover(kind) {
    const tips = new Set(), box = canvas.getBoundingClientRect(), tip = document.getElementById("tip");
    for (let y = 30; y < box.height; y += 6)
        for (let x = 140; x < box.width; x += 3) {
            canvas.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + x, clientY: box.top + y, bubbles: true}));
            if (!tip.hidden) tips.add(tip.textContent.split("\n")[0]);
        }
    return [...tips];
}
const frame = () => new Promise((done) => setTimeout(done, 50));
const range = () => document.getElementById("range").textContent;
(async () => {
    found.drawn = Number(document.body.dataset.drawn);
    found.colours = colours();
    found.tips = hover();
    found.all = range();
    const box = canvas.getBoundingClientRect();
    canvas.dispatchEvent(new WheelEvent("wheel", {deltaY: -300, ctrlKey: true, clientX: box.left + 500, clientY: box.top + 40,
                                                  cancelable: true}));
    await frame();
    found.zoomed = range();
    canvas.dispatchEvent(new PointerEvent("pointerdown", {clientX: 600, clientY: 50, pointerId: 1}));
    canvas.dispatchEvent(new PointerEvent("pointermove", {clientX: 400, clientY: 50, pointerId: 1}));
    canvas.dispatchEvent(new PointerEvent("pointerup", {clientX: 400, clientY: 50, pointerId: 1}));
    await frame();
    found.dragged = range();
    document.getElementById("all").click();
    await frame();
    found.again = range();
    [...document.querySelectorAll("[data-from]")].pop().click(); // the shortest
    await frame();
    found.phase = range();
    found.focus = document.activeElement === canvas;
    found.bars = document.querySelectorAll("svg rect").length;
    found.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    document.getElementById("found").textContent = JSON.stringify(found);
})().catch((error) => { document.body.dataset.error = error.stack; });
</script></body>"""


def check(holds, what):
    if not holds:
        sys.exit("not so: " + what)


def look_at(browser, folder, page):
    done = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                           "--disable-extensions", "--disable-background-networking", "--user-data-dir=" + folder + "/profile",
                           "--window-size=1280,1000", "--virtual-time-budget=10000", "--dump-dom", "file://" + page],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False, timeout=100)
    check(done.returncode == 0, "the browser ends well: %d" % done.returncode)
    return done.stdout


def main():
    program, traced = sys.argv[1:3]
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no browser: skipped")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        trace, page = folder + "/trace.json", folder + "/page.html"
        subprocess.run([traced, trace], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run([sys.executable, program, trace, "-o", page], check=True)
        with open(page, encoding="utf-8") as file:
            text = file.read()
        with open(page, "w", encoding="utf-8") as file:
            file.write(text.replace("<body>", "<body>" + FRAMES).replace("</body>", PROBE))
        dom = look_at(browser, folder, os.path.abspath(page))
    body = re.search(r"<body[^>]*>", dom).group()
    check("data-error" not in body, "no script fails: " + body)
    found = json.loads(re.search(r"<pre id=\"found\">(.*?)</pre>", dom, re.S).group(1).replace("&amp;", "&").replace("&lt;", "<")
                       .replace("&gt;", ">") or "null")
    check(found is not None, "the page's script runs to its end")
    check(found["drawn"] > 10, "blocks are drawn: %d" % found["drawn"])
    check(found["colours"] >= 3, "in several colours: %d" % found["colours"])
    for what in (r"ask \(\d+\)", r"CPU phase", r"dispatch store|I/O phase", r"store, batch \d+", r"log"):
        check(any(re.match(what, tip) for tip in found["tips"]), "hovering shows %s: %s" % (what, found["tips"]))
    check(found["zoomed"] != found["all"], "the wheel zooms")
    check(found["dragged"] != found["zoomed"], "dragging moves")
    check(found["again"] == found["all"], "all shows all")
    check(found["phase"] != found["all"], "a phase of the table is shown")
    check(found["focus"], "the timeline takes keys")
    check(found["bars"] > 2, "phases have bars")
    check(found["wide"] <= 0, "the page is not wider than its window")


main()
