# SPDX-License-Identifier: MIT
"""A small SVG writer: panels with lines, and panels with stacked bars, in a grid."""
from xml.sax.saxutils import escape

PANEL_WIDTH, PANEL_HEIGHT = 190, 150
LEFT, TOP, RIGHT, BOTTOM = 44, 26, 14, 34  # around a panel's plot
TEXT, AXIS, GRID = "#222222", "#777777", "#dddddd"


def ticks_up_to(most):
    """At most six round values from 0 to `most`."""
    step = 1.0
    while most / step < 2.5:
        step /= 2
    while most / step > 5.5:
        step *= 2
    count = int(most / step + 1e-9)
    return [step * i for i in range(count + 1)]


class Canvas:
    def __init__(self, width, height):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                      f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
                      f'<rect width="{width}" height="{height}" fill="white"/>']

    def text(self, x, y, words, anchor="start", size=11, weight="normal", colour=TEXT):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
                          f'font-weight="{weight}" fill="{colour}">{escape(words)}</text>')

    def line(self, points, colour, width=1.0, dash=None):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>')

    def dot(self, x, y, colour):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def write(self, path):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("\n".join(self.parts + ["</svg>"]) + "\n")


class Panel:
    """Axes at a place of the grid; x is the number of workers, evenly spaced, y from 0 to `most`."""

    def __init__(self, canvas, column, row, top, title, workers, most):
        self.canvas, self.workers, self.most = canvas, workers, most
        self.x0 = column * (LEFT + PANEL_WIDTH + RIGHT) + LEFT
        self.y0 = top + row * (TOP + PANEL_HEIGHT + BOTTOM) + TOP + PANEL_HEIGHT
        canvas.text(self.x0 + PANEL_WIDTH / 2, self.y0 - PANEL_HEIGHT - 8, title, "middle", weight="bold")
        for value in ticks_up_to(most):
            y = self.y(value)
            canvas.line([(self.x0, y), (self.x0 + PANEL_WIDTH, y)], GRID)
            canvas.text(self.x0 - 5, y + 4, f"{value:g}", "end", size=10)
        for count in workers:
            canvas.text(self.x(count), self.y0 + 14, str(count), "middle", size=10)
        canvas.text(self.x0 + PANEL_WIDTH / 2, self.y0 + 27, "workers", "middle", size=10, colour=AXIS)
        canvas.line([(self.x0, self.y0 - PANEL_HEIGHT), (self.x0, self.y0), (self.x0 + PANEL_WIDTH, self.y0)], AXIS)

    def x(self, count):
        return self.x0 + (self.workers.index(count) + 0.5) * PANEL_WIDTH / len(self.workers)

    def y(self, value):
        return self.y0 - PANEL_HEIGHT * min(value / self.most, 1.05)

    def series(self, values, colour, dash=None, dots=True):
        points = [(self.x(count), self.y(value)) for count, value in values.items()]
        self.canvas.line(points, colour, 1.8, dash)
        if dots:
            for x, y in points:
                self.canvas.dot(x, y, colour)

    def bars(self, shares):
        """`shares`: for each number of workers a list of (share, colour), from the bottom."""
        width = min(36.0, 0.6 * PANEL_WIDTH / len(self.workers))
        for count, parts in shares.items():
            below = 0.0
            for share, colour in parts:
                height = self.y(below) - self.y(below + share)
                self.canvas.box(self.x(count) - width / 2, self.y(below + share), width, height, colour)
                below += share


def size_of_grid(columns, rows, top, below):
    return columns * (LEFT + PANEL_WIDTH + RIGHT) + 6, top + rows * (TOP + PANEL_HEIGHT + BOTTOM) + below
