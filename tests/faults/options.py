"""Options that ask for what cannot be, targets that may not be written, and recipes that say nothing."""

from collections.abc import Callable
from pathlib import Path

from conftest import Ran, draw_folder, run
from PIL import Image

from faults.case import Case, Make, Place, Row, drawings, file, fresh, nothing, runs, stops

SAMPLE = "sample ADAPTED"
MOST = 2**64  # one more than the last seed
LITTLE_MEMORY = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (2 * 2**30,) * 2)"
RECIPES = {
    "syntax": ("steps = = 3", "line 1"),
    "section": ("[trainer]\nsteps = 3", "trainer"),
    "key": ("[train]\nstep = 3", "train.step"),
    "type": ('[train]\nsteps = "many"', "train.steps"),
    "element": ('[train]\nshots = [1, "two"]', "train.shots[1]"),
    "value": ("[model]\nimage_size = 33", "image_size"),
    "table": ("model = 3", "model"),
    "no data": ("data = []", "data"),
    "deep": ("a = " + "[" * 5000, "recipe.toml"),
    "long number": ("[train]\nsteps = " + "1" * 5000, "recipe.toml"),
}


def taken(place: Place) -> None:
    """A folder and a file where results might go."""
    (place.folder / "taken").mkdir()
    (place.folder / "file").write_text("mine")


def sampled(place: Place) -> None:
    """A sheet that metagan wrote itself."""
    assert run("sample", place.adapted, "-n", 1, cwd=place.folder).code == 0


def drawing_at(name: str) -> Make:
    """A picture of someone else's."""

    def make(place: Place) -> None:
        target = place.folder / name
        draw_folder(target.parent, 1)
        (target.parent / "0.png").rename(target)

    return make


def own_base(place: Place) -> None:
    """A base model of one's own beside good images."""
    drawings(place)
    (place.folder / "base.safetensors").write_bytes(place.base.read_bytes())


def files_in(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def has_drawn(count: int, columns: int = 5) -> Callable[[Ran, Place], None]:
    """Asserts that there are so many single files, and cells of the sheet."""

    def check(ran: Ran, place: Place) -> None:
        assert files_in(place.folder / "d") == [f"{i:06d}.png" for i in range(count)]
        with Image.open(place.folder / "out.png") as sheet:
            assert sheet.size == (columns * 66 + 2, -(-count // columns) * 66 + 2)

    return check


def has_streamed(ran: Ran, place: Place) -> None:
    """All single files are there."""
    assert len(files_in(place.folder / "many")) == 300


def has_made(*names: str) -> Callable[[Ran, Place], None]:
    """Asserts that there are these files."""

    def check(ran: Ran, place: Place) -> None:
        assert all((place.folder / name).is_file() for name in names)

    return check


def target(line: str, code: int, out: str) -> Case:
    """A target that cannot be; nor can the input, so that the target is looked at before any work."""
    return stops(f"{line} {out}", code, f"{line} {out}", out.removesuffix("/deep"), make=taken)


ROWS = (
    Row(40, "A number of images that is none", tuple(
        stops(f"-n {count!r}", 2, f"{SAMPLE} -n '{count}'", "-n", make=nothing) for count in ("0", "-1", "x", "1.5", "")
    )),
    Row(41, "Ten million images", (
        stops("as many as no number holds", 2, f"{SAMPLE} -n {2**63}", "--count", make=nothing),
        stops("as one picture", 2, f"{SAMPLE} -n 10000000", "10000", "--each", make=nothing),
        runs("as files", f"{SAMPLE} -n 300 --each many", make=nothing, bootstrap=LITTLE_MEMORY, drive=fresh,
             also=has_streamed, slow=True),
    )),
    Row(42, "Numbers that no batch divides", tuple(
        runs(f"-n {count}", f"{SAMPLE} -n {count} --each d -o out.png --columns 5", make=nothing, also=has_drawn(count))
        for count in (1, 7, 17)
    )),
    Row(43, "Seeds that are none", (
        *(stops(f"{option} {value}", 2, f"{SAMPLE} {option} {value}", option, make=nothing) for option, value in (
            ("--seed", "-1"), ("--seed", MOST), ("--seed", "one"), ("--seeds", "5-1"), ("--seeds", "1,,2"),
            ("--seeds", "x"), ("--seeds", MOST), ("--seeds", "0-99999999"))),
        stops("past the end", 2, f"{SAMPLE} --seed {MOST - 3} -n 4", "2^64", make=nothing),
        runs("to the end", f"{SAMPLE} --seed {MOST - 3} -n 3", make=nothing),
    )),
    Row(44, "Targets that cannot be", (
        *(target("sample missing.safetensors -o", code, out) for out, code in (
            ("picture", 2), ("picture.xyz", 2), ("file/out.png", 5), ("file/deep/out.png", 5), ("taken", 5), (".", 5))),
        *(target("sample missing.safetensors --each", 5, out) for out in ("file", "file/deep")),
        *(target("adapt missing -o", code, out) for out, code in (
            ("model", 2), ("model.png", 2), ("file/m.safetensors", 5), ("taken", 5))),
        stops("a name too long", 2, f"{SAMPLE} -n 1 -o {'a' * 300}.png", "File name too long", make=nothing),
        runs("missing folders are made", f"{SAMPLE} -n 2 -o sheets/a/out.png --each single/b", make=nothing,
             also=has_made("sheets/a/out.png", "single/b/000001.png")),
        runs("and those of models", "adapt images --from BASE --steps 0 -o new/deep/m.safetensors",
             also=has_made("new/deep/m.safetensors")),
    )),
    Row(45, "Files of others, and inputs", (
        stops("a picture", 5, f"{SAMPLE} -n 1 -o mine.png", "--overwrite", make=drawing_at("mine.png")),
        runs("if asked", f"{SAMPLE} -n 1 -o mine.png --overwrite", make=drawing_at("mine.png"), replaces=("mine.png",)),
        runs("its own", f"{SAMPLE} -n 1 --seed 2", make=sampled, replaces=("out.png",)),
        stops("one of several", 5, f"{SAMPLE} -n 3 --each d", "000002.png", make=drawing_at("d/000002.png")),
        runs("none of several", f"{SAMPLE} -n 2 --each d", make=drawing_at("d/000002.png")),
        stops("the base", 5, "adapt images --from base.safetensors -o base.safetensors --overwrite", "base", make=own_base),
        stops("an example", 5, "sample images --from BASE -o images/0.png --overwrite", "example"),
    )),
    Row(59, "Recipes that cannot be read", tuple(
        stops(name, 2, "meta-train out --config recipe.toml", words, make=file("recipe.toml", text))
        for name, (text, words) in RECIPES.items()
    )),
)  # fmt: skip
