// SPDX-License-Identifier: MIT
// The timeline: a lane for each worker, the engine, and each dispatcher's batches, on a canvas.
"use strict";
(() => {
    const data = JSON.parse(document.getElementById("data").textContent);
    const canvas = document.getElementById("timeline");
    const tip = document.getElementById("tip");
    const context = canvas.getContext("2d");
    const label_width = 132, ruler = 22, lane_gap = 6, row = 18;
    const full = {from: 0, to: data.wall};
    let view = {...full}, lanes = [], width = 0, pointer = null, dragged = null, pending = false;

    const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const number = (value) => Math.round(value).toLocaleString("en");
    function time(us, step) {
        const digits = (unit) => Math.min(9, Math.max(0, step ? Math.ceil(-Math.log10(step / unit) - 1e-9) : us / unit < 100 ? 2 : 0));
        const size = step ? Math.max(view.to, step) : Math.abs(us); // one unit for all of a ruler
        if (size >= 1e6) return (us / 1e6).toFixed(digits(1e6)) + " s";
        if (size >= 1e3) return (us / 1e3).toFixed(digits(1e3)) + " ms";
        return us.toFixed(digits(1)) + " µs";
    }

    // Batches that overlap go into rows of their own, as far as there are any.
    function rows_of(blocks, most) {
        const ends = [];
        for (const block of blocks) {
            let at = ends.findIndex((end) => end <= block[0]);
            if (at < 0) at = ends.length < most ? ends.length : ends.indexOf(Math.min(...ends));
            ends[at] = Math.max(ends[at] || 0, block[1]);
            block.row = at;
        }
        return Math.max(1, ends.length);
    }

    function longest(blocks) {
        return blocks.reduce((most, block) => Math.max(most, block[1] - block[0]), 0);
    }

    function lay_out() {
        let top = ruler;
        lanes = data.lanes.map((lane) => {
            const rows = lane.kind === "batches" ? rows_of(lane.blocks, 4) : lane.kind === "engine" ? 2 : 1;
            if (lane.kind === "engine")
                for (const block of lane.blocks) block.row = /^(dispatch|waiting)/.test(data.names[block[2]]) ? 1 : 0;
            const made = {...lane, top, rows, height: rows * row, longest: longest(lane.blocks)};
            top += made.height + lane_gap;
            return made;
        });
        canvas.style.height = top + "px";
        return top;
    }

    const colours = {};
    function read_colours() {
        for (const name of ["ink", "soft", "line", "surface", "other", "cpu", "io", "dispatch", "waiting", "batch"])
            colours[name] = style("--" + name);
        colours.task = data.named.map((_, i) => style("--task-" + i));
    }

    function colour_of(lane, block) {
        if (lane.kind === "worker") return block[2] < data.named.length ? colours.task[block[2]] : colours.other;
        if (lane.kind === "batches") return colours.batch;
        const name = data.names[block[2]];
        return name === "CPU phase" ? colours.cpu : name === "I/O phase" ? colours.io
             : name === "waiting" ? colours.waiting : colours.dispatch;
    }

    const x_of = (at) => label_width + (at - view.from) / (view.to - view.from) * (width - label_width);
    const at_of = (x) => view.from + (x - label_width) / (width - label_width) * (view.to - view.from);

    // The first block that may be seen: they are in order of their beginnings, and none is longer than the longest.
    function first_in(lane) {
        let low = 0, high = lane.blocks.length;
        const from = view.from - lane.longest;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (lane.blocks[middle][0] < from) low = middle + 1; else high = middle;
        }
        return low;
    }

    function draw_ruler(bottom) {
        const span = view.to - view.from, rough = span / Math.max(2, (width - label_width) / 110);
        const power = 10 ** Math.floor(Math.log10(rough));
        const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
        context.textAlign = "left";
        for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
            const x = Math.round(x_of(at)) + 0.5;
            context.strokeStyle = colours.line;
            context.beginPath();
            context.moveTo(x, ruler - 6);
            context.lineTo(x, bottom);
            context.stroke();
            context.fillStyle = colours.soft;
            if (x < width - 60) context.fillText(at ? time(at, step) : "0", x + 4, 12);
        }
    }

    function text_on(name, x, y, room) {
        if (room < 34) return;
        const most = Math.floor((room - 8) / 6.2);
        context.fillStyle = "#fff";
        context.fillText(name.length <= most ? name : name.slice(0, Math.max(1, most - 1)) + "…", x + 4, y + 13);
    }

    function draw_lane(lane) {
        let drawn = 0;
        const edge = new Array(lane.rows).fill(-1);
        context.fillStyle = colours.soft;
        context.textAlign = "right";
        const label = lane.label.length > 20 ? lane.label.slice(0, 19) + "…" : lane.label;
        context.fillText(label, label_width - 10, lane.top + 13);
        context.textAlign = "left";
        for (let i = first_in(lane); i < lane.blocks.length && lane.blocks[i][0] <= view.to; i++) {
            const block = lane.blocks[i];
            if (block[1] < view.from) continue;
            const from = Math.max(label_width, x_of(block[0])), to = Math.min(width, x_of(block[1]));
            const at = block.row || 0;
            if (to - from < 1 && Math.floor(from) === edge[at]) continue; // a pixel is drawn once
            edge[at] = Math.floor(from);
            const wide = Math.max(1, to - from - (to - from > 4 ? 1 : 0)), top = lane.top + at * row;
            context.fillStyle = colour_of(lane, block);
            context.fillRect(from, top, wide, row - 2);
            text_on(lane.kind === "batches" ? number(block[4]) : data.names[block[2]], from, top, wide);
            drawn++;
        }
        return drawn;
    }

    function draw() {
        pending = false;
        const scale = window.devicePixelRatio || 1, height = lay_out_height;
        width = canvas.clientWidth;
        canvas.width = width * scale;
        canvas.height = height * scale;
        context.setTransform(scale, 0, 0, scale, 0, 0);
        context.font = "11px ui-sans-serif, system-ui, sans-serif";
        draw_ruler(height);
        let drawn = 0;
        for (const lane of lanes) drawn += draw_lane(lane);
        for (const log of data.logs) {
            const x = x_of(log[1]), lane = lanes[log[0]];
            if (x < label_width || x > width || !lane) continue;
            context.fillStyle = colours.ink;
            context.beginPath();
            context.arc(x, lane.top + row - 2, 3, 0, 7);
            context.fill();
        }
        document.body.dataset.drawn = drawn;
        document.getElementById("range").textContent = time(view.from) + " to " + time(view.to);
    }

    function ask_draw() {
        if (!pending) { pending = true; requestAnimationFrame(draw); }
    }

    function move_to(from, to) {
        const span = Math.min(full.to, Math.max(to - from, 0.05));
        const start = Math.min(Math.max(from, 0), full.to - span);
        view = {from: start, to: start + span};
        ask_draw();
    }

    function zoom(factor, middle) {
        move_to(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
    }

    function block_at(x, y) {
        const lane = lanes.find((one) => y >= one.top && y < one.top + one.height);
        if (!lane || x < label_width) return null;
        const at = at_of(x), slack = (view.to - view.from) / width * 2, wanted = Math.floor((y - lane.top) / row);
        let best = null;
        for (let i = first_in(lane); i < lane.blocks.length && lane.blocks[i][0] <= at + slack; i++) {
            const block = lane.blocks[i];
            if ((block.row || 0) === wanted && block[1] >= at - slack &&
                (!best || block[0] > best[0] || best[1] < at)) best = block;
        }
        return best && {lane, block: best};
    }

    function words_for({lane, block}) {
        const lines = [], name = data.names[block[2]];
        if (lane.kind === "batches")
            lines.push(lane.label + ", batch " + block[3], number(block[4]) + " requests" + (block[5] ? ", never complete" : ""));
        else if (lane.kind === "engine")
            lines.push(name, name.startsWith("dispatch") ? "batch " + block[3] + ", " + number(block[4]) + " requests" : "phase " + block[3]);
        else if (block[4] > 1)
            lines.push(number(block[4]) + " stretches, merged", "most of it: " + name);
        else
            lines.push(name + " " + block[3]);
        lines.push(time(block[1] - block[0]) + ", from " + time(block[0]));
        return lines;
    }

    function show_tip(event) {
        const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
        const log = data.logs.find((one) => lanes[one[0]] && Math.abs(x_of(one[1]) - x) < 4 &&
                                            Math.abs(lanes[one[0]].top + row - 2 - y) < 5);
        const found = log ? null : block_at(x, y);
        tip.hidden = !log && !found;
        if (tip.hidden) return;
        tip.textContent = log ? ["log", data.texts[log[2]], log[3], "at " + time(log[1])].join("\n") : words_for(found).join("\n");
        const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
        tip.style.left = Math.max(4, left) + "px";
        tip.style.top = event.clientY + 16 + "px";
    }

    canvas.addEventListener("wheel", (event) => {
        const box = canvas.getBoundingClientRect();
        if (!event.ctrlKey && !event.metaKey && !event.shiftKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY) &&
            document.activeElement !== canvas) return; // the page scrolls until the timeline is chosen
        event.preventDefault();
        const span = view.to - view.from;
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
            const by = (event.deltaX || event.deltaY) / width * span;
            move_to(view.from + by, view.to + by);
        } else zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), at_of(event.clientX - box.left));
    }, {passive: false});
    canvas.addEventListener("pointerdown", (event) => {
        dragged = {x: event.clientX, view: {...view}};
        canvas.focus({preventScroll: true});
        if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
        if (dragged) {
            const by = (dragged.x - event.clientX) / (width - label_width) * (dragged.view.to - dragged.view.from);
            move_to(dragged.view.from + by, dragged.view.to + by);
        }
        show_tip(event);
    });
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { dragged = null; });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("dblclick", () => move_to(full.from, full.to));
    canvas.addEventListener("keydown", (event) => {
        const span = view.to - view.from, middle = (view.from + view.to) / 2;
        const keys = {"+": () => zoom(0.5, middle), "=": () => zoom(0.5, middle), "-": () => zoom(2, middle),
                      "w": () => zoom(0.5, middle), "s": () => zoom(2, middle), "0": () => move_to(full.from, full.to),
                      "ArrowLeft": () => move_to(view.from - span / 5, view.to - span / 5),
                      "ArrowRight": () => move_to(view.from + span / 5, view.to + span / 5),
                      "a": () => move_to(view.from - span / 5, view.to - span / 5),
                      "d": () => move_to(view.from + span / 5, view.to + span / 5)};
        if (keys[event.key] && !event.ctrlKey && !event.metaKey) { event.preventDefault(); keys[event.key](); }
    });
    document.getElementById("closer").addEventListener("click", () => zoom(0.5, (view.from + view.to) / 2));
    document.getElementById("farther").addEventListener("click", () => zoom(2, (view.from + view.to) / 2));
    document.getElementById("all").addEventListener("click", () => move_to(full.from, full.to));
    for (const link of document.querySelectorAll("[data-from]"))
        link.addEventListener("click", () => {
            const from = Number(link.dataset.from), to = Number(link.dataset.to), more = (to - from) * 0.05;
            move_to(from - more, to + more);
            canvas.scrollIntoView({block: "center"});
        });
    new ResizeObserver(ask_draw).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { read_colours(); ask_draw(); });

    const lay_out_height = lay_out();
    read_colours();
    draw();
})();
