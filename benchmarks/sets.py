"""Small sets by one hand each, drawn by this program, whose missing members the gallery shows."""

import io
from collections.abc import Iterator

import resvg_py
from PIL import Image

SIDE, BOX = 256, 24  # pixels, and units of the drawings
ICONS = '<g fill="#ffe3a0" stroke="#2b3a8f" stroke-width="1.9" stroke-linejoin="round" stroke-linecap="round">{}</g>'
LETTERS = '<g fill="none" stroke="#000" stroke-width="2.6" stroke-linejoin="round" stroke-linecap="round" {}>{{}}</g>'.format(
    'transform="translate(4 0) skewX(-11)"'
)
DIGITS = '<g fill="none" stroke="#000" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round">{}</g>'
SETS = {
    "icons": [
        ICONS.format(shapes)
        for shapes in (
            '<path d="M12 14v7"/><path d="M12 3l7 11H5z"/>',
            '<path d="M16 10h2a2.5 2.5 0 0 1 0 5h-2"/><path d="M5 8h11v7a4 4 0 0 1-4 4H9a4 4 0 0 1-4-4z"/>',
            '<path d="M12 15V3l7 9h-7"/><path d="M3 15h18l-3 5H6z"/>',
            '<circle cx="12" cy="12" r="4.5"/><path d="M12 2.5V5M12 19v2.5M2.5 12H5M19 12h2.5M5.3 5.3l1.8 1.8M16.9 16.9l1.8 1.8'
            'M5.3 18.7l1.8-1.8M16.9 7.1l1.8-1.8"/>',
            '<path d="M17 12l4.5-4.5v9z"/><path d="M3 12c4-7 11-7 14 0-3 7-10 7-14 0z"/>',
            '<path d="M12 12v8.5M8 20.5h8"/><path d="M9 3h6l4 9H5z"/>',
            '<path d="M12 17c0 3 3 2 3 4.5"/><path d="M12 2.5l6 7-6 7.5-6-7.5z"/>',
            '<path d="M9 12v6a3 3 0 0 0 6 0v-6"/><path d="M3 12a9 8.5 0 0 1 18 0z"/>',
        )
    ],
    "letters": [
        LETTERS.format(f'<path d="{path}"/>')
        for path in (
            "M6 20l6-16 6 16M8 14h8",
            "M17 4H7v16h10M7 12h8",
            "M7 4v16M17 4v16M7 12h10",
            "M7 4v16M17 4l-10 9 10 7",
            "M5 4h14M12 4v16",
        )
    ],
    "digits": [
        DIGITS.format(f'<path d="{path}"/>')
        for path in (
            "M7 8c0-5 9-5 9 0 0 4-8 7-9 12 3-1 6 1 10-.5",
            "M16 5L9 5.500 8 11c8-2 10 8 3 8.5-2 0-4-1-4.5-2",
            "M7 6c3 .5 7 .5 10-.5-3 4-5 9-6 15",
        )
    ],
}
MISSING = {  # what is drawn of each
    "icons": "home,camera,heart,star,key,bell,cloud,gift,book,leaf,umbrella,moon,rocket,anchor,crown,flower",
    "letters": ",".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "digits": ",".join("0123456789"),
}


def members(name: str) -> Iterator[Image.Image]:
    """The drawings of a set."""
    for body in SETS[name]:
        text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {BOX} {BOX}" width="{SIDE}" height="{SIDE}">{body}</svg>'
        image = Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=text))).convert("RGBA")
        yield Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
