"""A dashboard's panels as one SVG: curves over time, or one number. Colours that read on light and on dark."""

import html
import math

WIDTH, HEIGHT, GAP = 396, 176, 12     # of a panel that is a third of the page
LEFT, TOP, RIGHT, BOTTOM = 46, 26, 8, 34
COLOURS = ("#2a7", "#47c", "#c60", "#a3b", "#b90", "#089", "#c35", "#77a")
COLUMNS = 24


def number(value, unit):
    """Short, with its unit; `unit` is Grafana's name."""
    if unit == "percentunit":
        return f"{100 * value:.4g} %"
    if unit == "s":
        return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"
    if unit == "bytes":
        return f"{value / 1e6:.4g} MB"
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}" + {"reqps": "/s", "ops": "/s"}.get(unit, "")


def top_of(value):
    """The next round number that is not below."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value * 0.999)


def stacked(curves):
    """Each on top of those before; [(name, [(time, below, value above)])]."""
    base, out = {}, []
    for name, points in curves:
        out.append((name, [(when, base.get(when, 0.0), base.get(when, 0.0) + value) for when, value in points]))
        base.update({when: base.get(when, 0.0) + value for when, value in points})
    return out


def picture(dashboard, found, start, end):
    """`found` are the curves of each panel: [[(name, [(time, value)])]]; of one that shows a number, the last point counts."""
    out, curves, y = [], iter(found), 0
    for row in dashboard.rows:
        out.append(f'<text x="0" y="{y + 20}" font-size="15" font-weight="bold">{html.escape(row.title)}</text>')
        y, x, height = y + 30, 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + height + GAP
            width = (WIDTH + GAP) * panel.width / 8 - GAP
            height = 64 if panel.stat else HEIGHT
            out.append(f'<g transform="translate({(WIDTH + GAP) * x / 8:g} {y})">'
                       f'<rect class="frame" width="{width:g}" height="{height}" rx="3"/>')
            out += (figures if panel.stat else chart)(panel, next(curves), width, start, end)
            out.append("</g>")
            x += panel.width
        y += height + 2 * GAP
    width = 3 * WIDTH + 2 * GAP
    style = (".frame{fill:none;stroke:#999;stroke-opacity:.5}.grid{stroke:#999;stroke-opacity:.3}text{fill:#333}"
             "@media(prefers-color-scheme:dark){text{fill:#ddd}}")
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -4 {width + 16} {y + 4}" font-family="sans-serif" '
                      f'font-size="10">', f"<style>{style}</style>", *out, "</svg>"]) + "\n"


def title(panel):
    return f'<text x="8" y="16" font-size="12" font-weight="bold">{html.escape(panel.title)}</text>'


def figures(panel, curves, width, _start, _end):
    told = "; ".join(f"{number(points[-1][1], panel.unit)} {name}" for name, points in curves if points)
    return [title(panel), f'<text x="8" y="42" font-size="12">{html.escape(told)}</text>']


def chart(panel, curves, width, start, end):
    curves = [(name, points) for name, points in curves if points]
    shown = stacked(curves) if panel.stacked else [
        (name, [(when, None, value) for when, value in points]) for name, points in curves]
    values = [value for _, points in shown for _, _, value in points]
    high = panel.at_most or top_of(max(values, default=1))
    low = 0.0
    if values and min(values) < -1e-9:  # zero in the middle
        high = max(high, top_of(-min(values)))
        low = -high
    across, down = width - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(when, value):
        return f"{LEFT + across * (when - start) / (end - start):.1f} {TOP + down * (1 - (value - low) / (high - low)):.1f}"

    out = [title(panel)]
    for value in (low, (low + high) / 2, high):
        at = TOP + down * (1 - (value - low) / (high - low))
        out.append(f'<path class="grid" d="M{LEFT} {at:.1f}h{across:g}"/>'
                   f'<text x="{LEFT - 4}" y="{at + 3:.1f}" text-anchor="end">{number(value, panel.unit)}</text>')
    for minute in range(0, int((end - start) / 60) + 1):
        at = LEFT + across * 60 * minute / (end - start)
        out.append(f'<text x="{at:.1f}" y="{TOP + down + 12}" text-anchor="middle">{minute}</text>')
    legend = LEFT
    for i, (name, points) in enumerate(shown):
        colour = COLOURS[i % len(COLOURS)]
        line = "L".join(place(when, value) for when, _, value in points)
        if panel.stacked:
            back = "L".join(place(when, below) for when, below, _ in reversed(points))
            out.append(f'<path d="M{line}L{back}Z" fill="{colour}" fill-opacity=".35"/>')
        out.append(f'<path d="M{line}" fill="none" stroke="{colour}" stroke-width="1.4"/>')
        name = name if len(name) < 34 else name[:33] + "…"
        needed = 24 + 6.4 * len(name)
        if legend + needed < width:
            out.append(f'<rect x="{legend:g}" y="{HEIGHT - 15}" width="8" height="8" fill="{colour}"/>'
                       f'<text x="{legend + 11:g}" y="{HEIGHT - 8}">{html.escape(name)}</text>')
        legend += needed
    return out
