"""The golden check: what the commands write and say, as hashes, before and after a change that should change nothing.

python tests/golden.py write runs/golden.json    # before
python tests/golden.py check runs/golden.json    # after, on the same machine: names whatever differs

Adapts to and samples from a gray, a colour, a pixel-art and a shared-layout folder by the shipped models, takes three outer
steps of each learner, evaluates one of them, and keeps every JSON answer. It runs commands alone, as other machines round
otherwise, and knows nothing of the package's insides.
"""

import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
TIMES = ("seconds",)  # what differs from run to run
LEARNERS = {
    "attention": ("attention", "meta-sgd"),
    "rnn": ("rnn", "meta-sgd"),
    **{name: ("gradient", name) for name in ("maml", "fomaml", "meta-sgd", "reptile")},
}
RECIPE = """
[model]
learner = "{learner}"
algorithm = "{algorithm}"
channels = {channels}
latent = 16
fine = 8
width = 32
tokens = 32
style = 32
critic_tokens = 32
learner_width = 32
inner_perception = 1.0
[train]
steps = 3
shots = [3]
queries = 4
tasks_per_batch = 2
inner_steps = 2
inner_share = 1.0
head_start = 0
perception = 1.0
precision = "fp32"
every = 3
"""


def main() -> None:
    """Writes the hashes, or compares them with those of a file and ends with 1 where any differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("mode", choices=("write", "check"))
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = dict(everything(Path(folder)))
    if options.mode == "write":
        options.file.parent.mkdir(parents=True, exist_ok=True)
        options.file.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{len(found)} results")
        return
    wanted = json.loads(options.file.read_text())
    apart = [name for name in wanted | found if wanted.get(name) != found.get(name)]
    for name in apart:
        print(f"{name}: was {wanted.get(name)}, is {found.get(name)}")
    print(f"{len(wanted) - len(apart)} of {len(wanted)} results are the same")
    sys.exit(bool(apart))


def everything(place: Path) -> Iterator[tuple[str, Any]]:
    """Each result by its name."""
    drawings: dict[str, Callable[[random.Random], Image.Image]] = {
        "gray": rune,
        "colour": flag,
        "pixel-art": monster,
        "shared-layout": face,
    }
    for name, draw in drawings.items():
        chance, folder = random.Random(name), place / name
        folder.mkdir()
        for number in range(7):
            draw(chance).save(folder / f"{number}.png")
        yield from adapted_and_sampled(place, name)
    yield "adapt examples", told(place, "adapt", ROOT / "examples", "-o", "examples.safetensors", "--depth", "modulation")
    yield "examples.safetensors", tensors(place / "examples.safetensors")
    for name, (learner, algorithm) in LEARNERS.items():
        yield from trained(place, name, RECIPE.format(learner=learner, algorithm=algorithm, channels=1))
    yield from trained(place, "colour", RECIPE.format(learner="attention", algorithm="meta-sgd", channels=3))
    small = ("--tasks", 6, "--shots", "1,3", "--steps", 2)
    yield "evaluate", told(place, "evaluate", "attention/model.safetensors", *small)
    yield "evaluate colour", told(place, "evaluate", "colour/model.safetensors", *small)
    yield "evaluate a folder", told(place, "evaluate", "--data", "gray", "--steps", 1)
    for path in ("gray", "shared-layout", "gray.safetensors", "gray.png", "attention"):
        yield f"inspect {path}", told(place, "inspect", path)
    yield "models", told(place, "models")


def adapted_and_sampled(place: Path, name: str) -> Iterator[tuple[str, Any]]:
    """A folder's adapted model, sheet, single files and walk of variants, new members, and their JSON."""
    model, sheet = f"{name}.safetensors", f"{name}.png"
    yield f"adapt {name}", told(place, "adapt", name, "-o", model)
    yield model, tensors(place / model)
    variants = ("-n", 20, "--variants")
    yield f"sample {name}", told(place, "sample", model, *variants, "-o", sheet, "--with-support", "--each", f"{name}-each")
    yield sheet, digest((place / sheet).read_bytes())
    yield f"{name}-each", [digest(path.read_bytes()) for path in sorted((place / f"{name}-each").iterdir())]
    large = ("-n", 3, "--variants", "--size", 96, "--seed", 7, "--truncation", 0.7, "-o", f"{name}-large.webp")
    yield f"sample {name} large", told(place, "sample", model, *large)
    yield f"{name}-large.webp", digest((place / f"{name}-large.webp").read_bytes())
    members = ("-n", 5, "--motifs", "home,camera,heart", "--each", f"{name}-members")
    yield f"sample {name} members", told(place, "sample", model, *members)
    yield f"{name}-members", [digest(path.read_bytes()) for path in sorted((place / f"{name}-members").iterdir())]
    told(place, "sample", model, "--interpolate", "--seeds", "3,9", "-n", 4, "-o", f"{name}.gif")
    yield f"{name}.gif", digest((place / f"{name}.gif").read_bytes())


def trained(place: Path, name: str, recipe: str) -> Iterator[tuple[str, Any]]:
    """What three outer steps leave behind."""
    (place / f"{name}.toml").write_text(recipe)
    yield f"meta-train {name}", told(place, "meta-train", name, "--config", f"{name}.toml", "--seed", 3)
    yield f"{name}/model", tensors(place / name / "model.safetensors")
    yield f"{name}/state", tensors(next((place / name / "state").glob("*.safetensors")))
    for kept in ("config.toml", "stats.jsonl", "previews/00000003.png"):
        yield f"{name}/{kept}", digest((place / name / kept).read_bytes())


def told(place: Path, *arguments: object) -> Any:
    """What a command prints with --json, but for times, bytes and places."""
    command = [sys.executable, "-m", "metagan_cli", *map(str, arguments), "--json"]
    surroundings = os.environ | {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(place / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=place, env=surroundings, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    plain = re.sub(re.escape(str(ROOT)) + "|" + re.escape(str(place)), "", done.stdout)
    return without_times(json.loads(plain))


def without_times(value: Any) -> Any:
    """A JSON value without the entries that no two runs share."""
    if isinstance(value, dict):
        kept = {name: without_times(part) for name, part in value.items() if name not in (*TIMES, "bytes", "variation")}
        text = json.dumps(kept, sort_keys=True)
        return kept if len(text) < 200 else digest(text.encode())
    return [without_times(part) for part in value] if isinstance(value, list) else value


def tensors(path: Path) -> str:
    """The hash of a file's tensors, whatever its metadata say."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + length])
    head.pop("__metadata__")
    return digest(json.dumps(head, sort_keys=True).encode() + data[8 + length :])


def digest(data: bytes) -> str:
    """A short hash."""
    return hashlib.blake2b(data, digest_size=10).hexdigest()


def rune(chance: random.Random) -> Image.Image:
    """Some strokes on white, 64 pixels."""
    image = Image.new("L", (256, 256), 255)
    pen = ImageDraw.Draw(image)
    places = [(chance.randint(40, 216), chance.randint(40, 216)) for _ in range(4)]
    pen.line([(128, 30), (128, 226)], fill=0, width=18)
    pen.line(places, fill=0, width=18, joint="curve")
    return image.resize((64, 64), Image.Resampling.BOX)


def flag(chance: random.Random) -> Image.Image:
    """Three stripes and a disc, 80 x 60 pixels."""
    image = Image.new("RGB", (320, 240))
    pen = ImageDraw.Draw(image)
    for number in range(3):
        pen.rectangle((0, 80 * number, 320, 80 * number + 80), fill=tone(chance))
    radius, x = chance.randint(30, 70), chance.randint(100, 220)
    pen.ellipse((x - radius, 120 - radius, x + radius, 120 + radius), fill=tone(chance))
    return image.resize((80, 60), Image.Resampling.BOX)


def monster(chance: random.Random) -> Image.Image:
    """A symmetric creature of 16 x 16 drawn pixels on nothing."""
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    body = tone(chance)
    for y in range(2, 14):
        for x in range(2, 8):
            if chance.random() < 0.4 + 0.08 * x:
                for place in (x, 15 - x):
                    image.putpixel((place, y), (*body, 255))
    image.putpixel((6, 6), (255, 255, 255, 255))
    image.putpixel((9, 6), (255, 255, 255, 255))
    return image


def face(chance: random.Random) -> Image.Image:
    """A flat portrait whose parts lie at the same places, 64 pixels."""
    image = Image.new("RGB", (256, 256), tone(chance))
    pen = ImageDraw.Draw(image)
    pen.ellipse((28, 190, 228, 330), fill=tone(chance))
    pen.ellipse((64, 50, 192, 214), fill=chance.choice([(241, 204, 172), (160, 110, 75)]))
    pen.chord((58, 36, 198, 150), 180, 360, fill=tone(chance))
    for x in (102, 154):
        pen.ellipse((x - 9, 116, x + 9, 134), fill=(35, 35, 45))
    if chance.random() < 0.5:
        pen.rectangle((84, 108, 172, 142), outline=(20, 20, 20), width=7)
    pen.arc((100, 150, 156, 186), 0, 180, fill=(150, 50, 50), width=8)
    return image.resize((64, 64), Image.Resampling.BOX)


def tone(chance: random.Random) -> tuple[int, int, int]:
    """A strong colour."""
    red, green, blue = ImageColor.getrgb(f"hsl({chance.randint(0, 359)},70%,{chance.randint(35, 65)}%)")[:3]
    return red, green, blue


if __name__ == "__main__":
    main()
