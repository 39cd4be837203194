"""What no model and no feature net of ours is trained on: the development tasks, by the start of their names.

The one list: trainings leave these out, measurements take them, and a test holds the recipes of the shipped models against it.
"""

ALPHABETS = ("Balinese/", "Futurama/", "Grantha/", "N_Ko/", "Tifinagh/")
VENDORS = ("twemoji", "noto", "noto-v1", "emojione", "streamline-emojis")
SUBGROUPS = ("animal-bug", "cat-face", "food-fruit", "household", "sky-weather", "transport-water")
EMOJI = ("fxemoji/", *(f"{vendor}/{subgroup}" for vendor in VENDORS for subgroup in SUBGROUPS))
AVATARS = ("bigSmile/", "croodles/", "croodlesNeutral/", "miniavs/", "personas/")
ICONS = ("flat-color-icons/", "meteocons/", "streamline-ultimate-color/S")
CLIP_ART = ("animals/", "computer/icons/lemon-theme/", "food/fruit", "recreation/music", "shapes/stars", "transportation/")
TILES = ("item/amulet", "item/weapon/", "gui/spells/", "mon/undead", "mon/draco")
PHOTOGRAPHS = ("b", "l", "s")  # all of these letters

HELD_OUT = {
    "omniglot_105": ALPHABETS,
    "omniglot": ALPHABETS,
    "emoji_vendor_subgroup_64": EMOJI,
    "dicebear_64": AVATARS,
    "icons_color_pack_64": ICONS,
    "openclipart_64": CLIP_ART,
    "crawl_tiles_32": TILES,
    "caltech101_64": PHOTOGRAPHS,
}  # by source

# Icon sets that nothing that ships is made from either: they stand for the folders that people bring.
ICON_SETS = ("healthicons", "iconmind", "majesticons", "mingcute", "pepicons", "streamline-flex", "teenyicons")
