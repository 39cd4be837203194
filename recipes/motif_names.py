"""Which motifs the bank holds: names that many icon sets share, without brands, variants and compounds of interfaces."""

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Key = tuple[str, ...]  # a name's words in order of the alphabet: arrow-circle-up is circle-arrow-up
IconSet = Mapping[str, Any]  # what a file of iconify holds

_WORDS = tomllib.loads(Path(__file__).with_name("motif_words.toml").read_text(encoding="utf-8"))
SETS = tuple(_WORDS["sets"].split())
VARIANTS, INTERFACES, NEVER, BRANDS, SIGNS, BESIDE, EMPTY = (
    frozenset(_WORDS[name].split()) for name in ("variants", "interfaces", "never", "brands", "signs", "beside", "empty")
)
MISTAKEN = frozenset(_WORDS["mistaken"].splitlines())
_SAME = [line.split() for line in _WORDS["same"].strip().splitlines()]
MARKED = {"brand", "brands", "logo", "logos", "social"}
FAMILIES = {  # sets by one hand count once
    "boxicons": "bx",
    "bxs": "bx",
    "famicons": "ion",
    "ic": "material-symbols",
    "icon-park-solid": "icon-park-outline",
    "icons8": "wpf",
    "mono-icons": "mi",
    "sidekickicons": "heroicons",
    "vadivam": "mynaui",
}
STYLES = r"(-(outline|outlined|filled|fill|solid|rounded|sharp|twotone|duotone|badged|alerted))+$"
OF_A_SET = {
    "ph": r"-(thin|light|bold|fill|duotone)$",
    "ic": r"^(outline|round|sharp|twotone|baseline)-",
    "ri": r"-(line|fill)$",
    "si": r"-(line|fill|duotone)$",
    "clarity": r"-(line|solid)$|(-outline)?-(badged|alerted)$",
    "tabler": r"-filled$",
    "stash": r"-(light|solid|duotone)$",
    "bxs": "^bxs-",
    "bx": "^bx-",
}
SIZES = r"-\d+(-(regular|filled|light|color))?$"
SIZED = {"fluent", "octicon", "garden", "qlementine-icons", "heroicons", "sidekickicons"}
COMMON, SOME, FEW = 9, 7, 3  # families that must have a name: of a variant, of a compound of interfaces, of a thing


@dataclass(frozen=True)
class Name:
    """A motif's name, those of the same thing, and the keys of all of them."""

    text: str
    others: tuple[str, ...]
    keys: tuple[Key, ...]

    def is_sign(self) -> bool:
        """Whether drawings of that name are signs rather than pictures of things."""
        key = {*self.keys[0]}
        return bool(key & SIGNS) and key <= SIGNS | BESIDE


def key_of(icon_set: str, name: str) -> Key:
    """A name's words without those of style and size, in order of the alphabet."""
    return _sorted(plain(icon_set, name))


def plain(icon_set: str, name: str) -> str:
    """A name without the words of style and size."""
    if icon_set in SIZED:
        name = re.sub(SIZES, "", name)
    if icon_set in OF_A_SET:
        name = re.sub(OF_A_SET[icon_set], "", name)
    if icon_set != "tabler":
        name = re.sub(STYLES, "", name)
    return name


def is_brand(icon_set: str, name: str, categories: Mapping[str, list[str]]) -> bool:
    """Whether a set says by a name's words or its categories that it is a mark of a firm."""
    words = name.split("-")
    told = {word for category in categories.get(name, []) for word in re.findall("[a-z]+", category.lower())}
    return bool(MARKED & {*words, *told})


def categories_of(icon_set: IconSet) -> dict[str, list[str]]:
    """The categories of each icon of a set."""
    found = defaultdict(list)
    for category, names in icon_set.get("categories", {}).items():
        for name in names:
            found[name].append(category)
    return found


def ranked(sets: Mapping[str, IconSet]) -> list[Name]:
    """The names that enough families of sets have, the commonest first."""
    families: dict[Key, set[str]] = defaultdict(set)
    texts: dict[Key, Counter[str]] = defaultdict(Counter)
    brands: set[Key] = set()
    for prefix, icon_set in sets.items():
        categories = categories_of(icon_set)
        for name in icon_set["icons"]:
            key = key_of(prefix, name)
            if is_brand(prefix, name, categories):
                brands.add(tuple(word for word in key if word not in MARKED))
                continue
            families[key].add(FAMILIES.get(prefix, prefix))
            texts[key][plain(prefix, name)] += 1
    sure = {key_of(prefix, name) for prefix in ("tabler", "ph") for name in sets[prefix]["icons"]}  # which mark every brand
    wanted = {
        key: min(texts[key], key=lambda text: (-texts[key][text], text))
        for key, found in families.items()
        if len(found) >= _enough(key, key in sure) and (key not in brands or key in sure) and _is_plain(key)
    }
    return _together(sorted(wanted.items(), key=lambda item: (-len(families[item[0]]), item[1])))


def _together(texts: list[tuple[Key, str]]) -> list[Name]:
    """Names by their keys, those of one thing together where the first of them is."""
    same: dict[Key, list[str]] = {}
    for line in _SAME:
        for word in line:
            same.setdefault(_sorted(word), line)
    found: dict[str, Name] = {}
    for key, text in texts:
        line = same.get(key, [text])
        found.setdefault(line[0], Name(line[0], tuple(line[1:]), tuple(dict.fromkeys(map(_sorted, line)))))
    return list(found.values())


def _sorted(text: str) -> Key:
    return tuple(sorted(text.split("-")))


def _enough(key: Key, sure: bool) -> int:
    """How many families must have a name."""
    if len(key) == 1:
        return FEW - 1
    return COMMON if VARIANTS & {*key} else SOME if INTERFACES & {*key} else FEW - sure


def _is_plain(key: Key) -> bool:
    """Whether a name consists of few words, none of them a brand's, a letter or a number."""
    return (
        len(key) <= 3 and all(re.fullmatch("[a-z]{2,}", word) or key == ("x",) for word in key) and not (NEVER | BRANDS) & {*key}
    )
