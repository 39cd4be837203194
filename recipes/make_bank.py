"""Makes the bank of motifs: plain drawings of what people want in an icon set, and of letters, digits and marks.

npm pack @iconify/json @fontsource/roboto@4 @fontsource/roboto-slab@4 @fontsource/schoolbell@4 @fontsource/satisfy@4
python -m recipes.make_bank --icons ICONIFY --sans ROBOTO --serif ROBOTO_SLAB --hand SCHOOLBELL --script SATISFY [--out FILE]

Icons come from iconify's files of sets under MIT, Apache-2.0 and CC0-1.0 alone. A motif's outline is taken from the first set
that has one, and so is its solid drawing, so that most are by few hands. Names with nearly the same drawing become one.
"""

import argparse
import gzip
import json
import re
import string
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from metagan_cli.store.files import write_bytes
from recipes.held_out import ICON_SETS
from recipes.motif_drawings import Font, plain_icon, share
from recipes.motif_names import EMPTY, MISTAKEN, SETS, IconSet, Key, categories_of, is_brand, key_of, plain, ranked

LICENCES = ("MIT", "Apache-2.0", "CC0-1.0")
OUTLINES = {  # sets in the order of preference, and which of their icons are outlines of a medium stroke
    "tabler": "(?<!-filled)$",
    "ph": "(?<!-thin)(?<!-light)(?<!-bold)(?<!-fill)(?<!-duotone)$",
    "iconoir": "(?<!-solid)$",
    "icon-park-outline": "$",
    "material-symbols": "-outline$",
    "mdi": "-outline$",
    "mynaui": "(?<!-solid)$",
    "fluent": "-24-regular$",
    "ri": "-line$",
    "hugeicons": "$",
}
SOLIDS = {
    "ph": "-fill$",
    "tabler": "-filled$",
    "material-symbols": "(?<!-outline)(?<!-rounded)(?<!-sharp)$",
    "mdi": "(?<!-outline)$",
    "fluent": "-24-filled$",
    "ri": "-fill$",
    "icon-park-solid": "$",
    "ion": "(?<!-outline)(?<!-sharp)$",
    "pinhead": "$",
    "temaki": "$",
    "maki": "$",
    "mynaui": "-solid$",
    "boxicons": "-filled$",
    "iconoir": "-solid$",
    "tdesign": "-filled$",
    "eva": "(?<!-outline)$",
    "bxs": "$",
    "mage": "-fill$",
    "fontisto": "$",
    "vaadin": "$",
}
BOLDS = {name: SOLIDS[name] for name in ("mdi", "material-symbols", *SOLIDS)}  # for signs, which others lay on a solid square
LEAST, MOST = 0.02, 0.7  # shares of the square that the ink of a drawing may cover
HEAVIER = 1.1  # times the ink of the outline that a solid drawing has, where there is one
SAME = 0.86  # overlap of the ink of two drawings of one motif
WORDS, TAGS = 8, 4  # other names and categories of a motif, at most
MARKS = {
    "!": "exclamation-mark",
    "?": "question-mark",
    "&": "ampersand",
    "@": "at-sign",
    "#": "number-sign hash",
    "%": "percent-sign percentage",
    "+": "plus-sign add",
    "-": "hyphen minus",
    "=": "equals-sign equal",
    ".": "full-stop period dot",
    ",": "comma",
    ":": "colon",
    ";": "semicolon",
    "(": "left-parenthesis bracket",
    ")": "right-parenthesis bracket",
    "/": "slash",
    "*": "asterisk star",
}
STYLES = ("sans", "serif", "hand", "script")  # in which letters are drawn
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def main() -> None:
    """Chooses the motifs, and writes the bank."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--icons", type=Path, required=True, help="the unpacked package @iconify/json")
    for style in STYLES:
        parser.add_argument(f"--{style}", type=Path, required=True, help="a font file")
    parser.add_argument("--out", type=Path, default=Path("pretrained/motifs.json.gz"))
    options = parser.parse_args()
    sets = {name: json.loads((options.icons / "json" / f"{name}.json").read_text(encoding="utf-8")) for name in SETS}
    refused = [name for name, found in sets.items() if found["info"]["license"]["spdx"] not in LICENCES or name in ICON_SETS]
    if refused:
        raise SystemExit(f"{options.icons}: of another licence or held out: {', '.join(refused)}")
    fonts = {style: Font(getattr(options, style)) for style in STYLES}
    characters = from_fonts(fonts)
    icons = from_icons(sets, {character["name"] for character in characters})
    motifs = [*characters, *icons]
    used = {drawing["source"].split(" ")[0] for icon in icons for drawing in icon["drawings"]}
    sources = {name: _source(sets[name]["info"]) for name in sorted(used)}
    sources |= {font.family: {"title": font.family, "author": font.copyright, "licence": "Apache-2.0"} for font in fonts.values()}
    text = json.dumps({"version": 1, "sources": sources, "motifs": motifs}, ensure_ascii=False, separators=(",", ":"))
    write_bytes(options.out, gzip.compress(text.encode(), 9, mtime=0))
    kinds = Counter(motif["kind"] for motif in motifs)
    print(f"wrote {options.out}: {dict(kinds)}, {options.out.stat().st_size / 1e6:.2f} MB")


def from_icons(sets: dict[str, IconSet], taken: set[str]) -> list[dict[str, Any]]:
    """The motifs that have an outline, the commonest first."""
    outlines, solids, bolds = (_by_key(sets, wanted) for wanted in (OUTLINES, SOLIDS, BOLDS))
    words, tags = _other_names(sets), _categories(sets)
    motifs: list[dict[str, Any]] = []
    seen: list[Tensor] = []  # the ink of the outlines
    for name in ranked(sets):
        outline = _first(sets, outlines, name.keys)
        if name.text in taken or outline is None:
            continue
        ink = share(outline["body"])
        same = _same(ink, seen)
        if same is not None:
            motifs[same]["words"] = _unique([*motifs[same]["words"], name.text], motifs[same]["name"])
            continue
        solid = _first(sets, bolds, name.keys) if name.is_sign() else _first(sets, solids, name.keys, HEAVIER * float(ink.mean()))
        drawings = [outline | {"style": "outline"}, *([solid | {"style": "solid"}] if solid else [])]
        others = _unique([*name.others, *words.get(name.keys[0], [])], name.text)[:WORDS]
        all_words = _unique([*others, *tags.get(name.keys[0], [])[:TAGS]], name.text)
        kind = "symbol" if name.is_sign() else "icon"
        motifs.append({"name": name.text, "kind": kind, "words": all_words, "drawings": drawings})
        seen.append(ink)
    return motifs


def _same(ink: Tensor, seen: list[Tensor]) -> int | None:
    """Which of the drawings before has nearly the same ink."""
    if not seen:
        return None
    others = torch.stack(seen)
    overlap = torch.minimum(ink, others).sum((1, 2)) / torch.maximum(ink, others).sum((1, 2))
    return int(overlap.argmax()) if float(overlap.max()) > SAME else None


def _unique(words: list[str], name: str) -> list[str]:
    return [word for word in dict.fromkeys(words) if word != name]


def _by_key(sets: dict[str, IconSet], wanted: dict[str, str]) -> dict[Key, list[tuple[str, str]]]:
    """Sets and names of the drawings of each key, the best first."""
    found = defaultdict(list)
    for prefix, ending in wanted.items():
        categories = categories_of(sets[prefix])
        for name in sorted(sets[prefix]["icons"], key=lambda name: (len(name), name)):
            fit = re.search(ending, name) and not is_brand(prefix, name, categories) and f"{prefix} {name}" not in MISTAKEN
            if fit and not sets[prefix]["icons"][name].get("hidden"):
                found[key_of(prefix, name)].append((prefix, name))
    return found


def _first(
    sets: dict[str, IconSet], drawings: dict[Key, list[tuple[str, str]]], keys: tuple[Key, ...], beyond: float = 0
) -> dict[str, str] | None:
    """The first drawing of some keys that can be carried and has a fair amount of ink, where there is one more than `beyond`."""
    fair = []
    for prefix, name in [found for key in keys for found in drawings.get(key, [])]:
        body = plain_icon(sets[prefix], name)
        ink = float(share(body).mean()) if body else 0
        if body and LEAST < ink < MOST:
            fair.append({"body": body, "source": f"{prefix} {name}", "licence": sets[prefix]["info"]["license"]["spdx"]})
            if ink > beyond:
                return fair[-1]
    return fair[0] if fair else None


def _other_names(sets: dict[str, IconSet]) -> dict[Key, list[str]]:
    """What else the icons of each key are called in their sets, the commonest first."""
    found: dict[Key, Counter[str]] = defaultdict(Counter)
    for prefix, icon_set in sets.items():
        for alias, of in icon_set.get("aliases", {}).items():
            text, key = plain(prefix, alias), key_of(prefix, of["parent"])
            if of.keys() == {"parent"} and re.fullmatch("[a-z]{3,}(-[a-z]{2,})?", text) and not EMPTY & {*text.split("-")}:
                found[key][text] += key != key_of(prefix, alias)
    return {
        key: [name for name, _ in sorted((+names).items(), key=lambda item: (-item[1], item[0]))] for key, names in found.items()
    }


def _categories(sets: dict[str, IconSet]) -> dict[Key, list[str]]:
    """The words of the categories that icons of each key are in, the commonest first."""
    found: dict[Key, Counter[str]] = defaultdict(Counter)
    singular = {
        word for found in sets.values() for name in found.get("categories", {}) for word in re.findall("[a-z]+", name.lower())
    }
    for prefix in sets:
        for name, categories in categories_of(sets[prefix]).items():
            words = {word for category in categories for word in re.findall("[a-z]{3,}", category.lower())}
            found[key_of(prefix, name)].update(
                {word.removesuffix("s") if word[:-1] in singular else word for word in words} - EMPTY
            )
    return {
        key: [word for word, _ in sorted(words.items(), key=lambda item: (-item[1], item[0]))] for key, words in found.items()
    }


def _source(info: dict[str, Any]) -> dict[str, str]:
    """What a set's card says of it."""
    author = info["author"]
    return {
        "title": info["name"],
        "author": author["name"],
        "url": author.get("url", ""),
        "licence": info["license"]["spdx"],
    }


def from_fonts(fonts: dict[str, Font]) -> list[dict[str, Any]]:
    """Digits, letters and marks as drawn by fonts of several styles."""
    characters = [(digit, "digit", digit, [word]) for digit, word in zip(string.digits, DIGITS, strict=True)]
    characters += [(letter, "letter", letter, ["capital letter"]) for letter in string.ascii_uppercase]
    characters += [(letter, "letter", letter, ["small letter"]) for letter in string.ascii_lowercase]
    characters += [(mark, "symbol", words.split()[0], [mark, *words.split()[1:]]) for mark, words in MARKS.items()]
    return [
        {
            "name": name,
            "kind": kind,
            "words": words,
            "drawings": [
                {"body": font.draw(character), "source": f"{font.family} {character}", "licence": "Apache-2.0", "style": style}
                for style, font in fonts.items()
            ],
        }
        for character, kind, name, words in characters
    ]


if __name__ == "__main__":
    main()
