"""The layout of a page: one HTML file with embedded pictures, SVG and no script. Texts are escaped
here; arguments named `body` are HTML."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

import numpy as np
from numpy.typing import NDArray

from ..images.pillow import encode_jpeg
from .records import Curve, Strip
from .svg import legend, svg_of

QUALITY = 88  # of JPEG pictures
STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;color:#20262e;background:#f3f2ee;margin:0}
main{max-width:1180px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:26px;margin:8px 0 4px}
h2{font-size:20px;margin:0 0 4px}
h3{font-size:15px;margin:18px 0 6px}
section,header{background:#fff;border:1px solid #dddad2;border-radius:10px;margin:16px 0;
 padding:18px 22px}
p{max-width:90ch;margin:4px 0 12px;color:#525a64}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;margin:10px 0 0}
dt{color:#6d747d}
dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:4px 14px 4px 0;border-bottom:1px solid #ecebe6;vertical-align:top}
th{font-weight:600;color:#6d747d;font-size:13px}
td.n{white-space:nowrap;font-variant-numeric:tabular-nums;font-weight:600}
td.n small{font-weight:400;color:#6d747d}
td.o{color:#6d747d;font-size:13px}
.no{color:#a05a2c;font-weight:400}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(112px,1fr));gap:10px;
 margin:14px 0 4px}
.cards div{background:#f3f2ee;border-radius:8px;padding:8px 14px}
.cards b{display:block;font-size:20px;font-variant-numeric:tabular-nums}
.cards span{color:#6d747d;font-size:13px;line-height:1.3;display:block}
.strip table{table-layout:fixed}
.strip td,.strip th{border:0;padding:1px;text-align:center;vertical-align:middle}
.strip th.r{text-align:right;padding-right:8px;width:76px}
.strip img{display:block;width:100%;height:auto}
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:6px 24px}
svg{width:100%;height:auto;font:14px system-ui,sans-serif}
svg .area{fill:#faf9f6}
svg line{stroke:#e4e2db}
svg .mark{stroke:#8a9099;stroke-dasharray:3 3}
svg path{fill:none;stroke-width:1.8;stroke-linejoin:round}
svg text{fill:#6d747d}
.legend{font-size:13px;color:#525a64}
.legend i{display:inline-block;width:14px;height:3px;margin:0 5px 3px 0}
.legend span{margin-right:14px}
"""


def page(title: str, facts: Mapping[str, str], body: str, style: str = "") -> str:
    """The HTML text. facts: label -> text, below the title. style: further CSS."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body><main>"
        f"<header><h1>{escape(title)}</h1>{table(facts)}</header>{body}</main></body></html>\n"
    )


def table(facts: Mapping[str, str]) -> str:
    """A list of labels and texts."""
    rows = "".join(
        f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in facts.items()
    )
    return f"<dl>{rows}</dl>"


def section(title: str, body: str, about: str = "") -> str:
    """A box with a heading. about: a text below it."""
    text = f"<p>{escape(about)}</p>" if about else ""
    return f"<section><h2>{escape(title)}</h2>{text}{body}</section>"


def curve(curve: Curve) -> str:
    return (
        f"<div><h3>{escape(curve.title)}</h3>{svg_of(curve)}"
        f'<div class="legend">{legend(curve.series)}</div></div>'
    )


def strip(strip: Strip) -> str:
    head = "".join(f"<th>{escape(caption)}</th>" for caption, _ in strip.columns)
    body = "".join(
        f'<tr><th class="r">{escape(name)}</th>'
        + "".join(f"<td>{image(pictures[number])}</td>" for _, pictures in strip.columns)
        + "</tr>"
        for number, name in enumerate(strip.rows)
    )
    return (
        f'<h3>{escape(strip.title)}</h3><div class="strip"><table>'
        f'<tr><th class="r"></th>{head}</tr>{body}</table></div>'
    )


def image(picture: NDArray[np.uint8]) -> str:
    """An element with the picture (H, W, 3) in it."""
    data = base64.b64encode(encode_jpeg(picture, QUALITY)).decode("ascii")
    height, width = picture.shape[:2]
    return f'<img alt="" width="{width}" height="{height}" src="data:image/jpeg;base64,{data}">'
