"""The last thirty days as a picture: each day's differences, what of them was explained, and the explained share."""

import html
from collections.abc import Sequence
from decimal import Decimal

from domain.money import ZERO
from domain.reconciliation_report import Day

EXPLAINED, UNKNOWN, SHARE, WORDS, GRID = "#2f5fb3", "#e3a59f", "#1f7a4d", "#5a6478", "#e4e9f1"
WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 960, 340, 80, 66, 46, 64
MOST_LABELS = 10


def picture(days: Sequence[Day], currency: str) -> str:
    """A bar for each day, its explained part below and the rest above; a line for the share that was explained."""
    days = days[-30:]
    if not days:
        return "<figure><figcaption>The picture of the last thirty days begins tomorrow.</figcaption></figure>"
    most = _nice(max((day.differing for day in days), default=ZERO) or Decimal(1))
    step = (WIDTH - LEFT - RIGHT) / len(days)
    unit = html.escape(currency)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role=img aria-label="Differences and explained share, last {len(days)} days">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_legend(unit),
        *_axes(most, unit),
    ]
    points = []
    for number, day in enumerate(days):
        x, bar = LEFT + number * step, max(step * 0.7, 2)
        whole, known = _up(day.differing / most), _up(day.explained / most)
        parts.append(
            f'<rect x="{x:.1f}" y="{whole}" width="{bar:.1f}" height="{known - whole:.1f}" fill="{UNKNOWN}"/>'
            f'<rect x="{x:.1f}" y="{known}" width="{bar:.1f}" height="{HEIGHT - BOTTOM - known:.1f}" fill="{EXPLAINED}"/>'
        )
        middle = x + bar / 2
        points.append((f"{middle:.1f}", f"{_up(day.share)}"))
        if (len(days) - 1 - number) % (-(-len(days) // MOST_LABELS)) == 0:
            parts.append(_text(middle, HEIGHT - BOTTOM + 16, f"{day.on:%d %b}", anchor="middle"))
    line = " ".join(f"{x},{y}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{SHARE}" stroke-width="2"/>')
    parts += [f'<circle cx="{x}" cy="{y}" r="2.5" fill="{SHARE}"/>' for x, y in points]
    last = days[-1]
    caption = (
        f"Last {len(days)} days, those with a run. {last.on}: differences on the shelf of {last.differing:.2f} {unit} (too many"
        f" and missing added up), {last.explained:.2f} {unit} of it explained: explained share {last.share * 100:.1f} %."
    )
    parts.append(_text((WIDTH + LEFT - RIGHT) / 2, HEIGHT - 6, "day", anchor="middle"))
    return f"<h2>Thirty days</h2><figure>{''.join(parts)}</svg><figcaption>{caption}</figcaption></figure>"


def _up(share: Decimal) -> float:
    return round(HEIGHT - BOTTOM - float(share) * (HEIGHT - BOTTOM - TOP), 1)


def _text(x: float, y: float, words: str, fill: str = WORDS, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{words}</text>'


def _legend(unit: str) -> list[str]:
    """What the colours are. Squares as paths: the rectangles are the bars."""
    return [
        f'<path d="M{LEFT} 8h11v11h-11z" fill="{EXPLAINED}"/>',
        _text(LEFT + 17, 18, f"explained: the cause is known, {unit}"),
        f'<path d="M{LEFT + 250} 8h11v11h-11z" fill="{UNKNOWN}"/>',
        _text(LEFT + 267, 18, f"unknown, or put off to the next run, {unit}"),
        f'<path d="M{LEFT + 545} 13.5h22" stroke="{SHARE}" stroke-width="2"/>',
        _text(LEFT + 573, 18, "explained share, percent (right)"),
    ]


def _axes(most: Decimal, unit: str) -> list[str]:
    parts = [
        _text(LEFT - 8, TOP - 16, f"{unit} a day", anchor="end"),
        _text(WIDTH - RIGHT + 8, TOP - 16, "share", SHARE),
    ]
    for part in range(5):
        share = Decimal(part) / 4
        value = f"{most * share:,.0f}".replace(",", "&#160;") if most >= 4 else f"{most * share:.2f}"
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_up(share)}" y2="{_up(share)}" stroke="{GRID}"/>')
        parts.append(_text(LEFT - 8, _up(share) + 4, value, anchor="end"))
        parts.append(_text(WIDTH - RIGHT + 8, _up(share) + 4, f"{share * 100:.0f} %", SHARE))
    return parts


def _nice(most: Decimal) -> Decimal:
    """The end of an axis that is cut in four: the next round number."""
    step = Decimal(10) ** (len(str(int(most))) - 1)
    return next((end for times in (1, 2, 4, 6, 8, 10, 20) if (end := step * times) >= most), step * 20)
