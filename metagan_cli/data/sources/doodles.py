"""Doodles: an unlimited family of drawn characters. A task is a random stroke program, an image a new exemplar of it.

The split into a program with its own topology and exemplars with motor noise follows Lake et al. 2015
(Bayesian Program Learning); the strokes and all numbers are our own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Generator, Tensor

from metagan_cli.data.sources.tasks import Split
from metagan_cli.rng import below, between, chance, generator_for, one_of

UNLIMITED = 2**20  # tasks of a drawn family

POINTS = 20  # points of a stroke's polyline
STROKES = (0.12, 0.32, 0.32, 0.16, 0.08)  # chances of 1 to 5 strokes
FINER = 4  # strokes are drawn this much larger, then averaged down
CALM = 0.5  # how much exemplars by a calm hand vary
BOLD = 0.25  # share of the tasks drawn with a thick pen


@dataclass(frozen=True)
class Program:
    """A character: control points of its strokes, and the pen it is drawn with."""

    strokes: tuple[Tensor, ...]  # [P, 2] each, x and y in [-1, 1]
    sharp: tuple[bool, ...]  # straight between control points, or smooth through them
    pen: float  # stroke width as a share of the image side
    looseness: float  # how much exemplars vary


@dataclass(frozen=True)
class Doodles:
    """The family at an image size in pixels."""

    size: int
    seed: int = 0

    def draw(self, task: int, count: int, generator: Generator) -> Tensor:
        """`count` exemplars of a task: uint8 [count, size, size], ink 255 on ground 0."""
        program = _program(generator_for(self.seed, "doodle", task))
        lines = exemplars(program, count, generator)
        width = program.pen * self.size * torch.exp(0.15 * torch.randn(count, generator=generator))
        return rendered(lines, width.clamp(min=1.2), self.size)


# --- programs: what a character is ---


def _program(generator: Generator) -> Program:
    count = 1 + int(torch.multinomial(torch.tensor(STROKES), 1, generator=generator))
    strokes: list[Tensor] = []
    sharp: list[bool] = []
    repeated = count > 1 and chance(0.15, generator)
    for i in range(count):
        if repeated and i > 0:
            stroke, corners = strokes[0] - strokes[0].mean(0), sharp[0]
        else:
            stroke, corners = one_of(PRIMITIVES, generator)(generator)
        strokes.append(stroke + _place(strokes, stroke, generator))
        sharp.append(corners)
    if chance(0.12, generator):
        strokes, sharp = [*strokes, strokes[-1] * torch.tensor([-1.0, 1.0])], [*sharp, sharp[-1]]
    bold = chance(BOLD, generator)
    pen = between(0.055, 0.1, generator) if bold else between(0.034, 0.055, generator)
    return Program(tuple(_fit(strokes, generator)), tuple(sharp), pen, between(0.7, 1.3, generator))


def _place(before: list[Tensor], stroke: Tensor, generator: Generator) -> Tensor:
    """Where a stroke goes: its start or middle on an earlier stroke, or free in the frame."""
    if not before or chance(0.2, generator):
        return torch.rand(2, generator=generator) * 1.2 - 0.6 - stroke.mean(0)
    other = one_of(before, generator)
    anchor = _along(other, one_of(_ENDS, generator))
    return anchor - _along(stroke, one_of(_ENDS, generator))


_ENDS = (0.0, 0.0, 1.0, 1.0, 0.5, 0.3)


def _along(stroke: Tensor, share: float) -> Tensor:
    place = share * (len(stroke) - 1)
    first = min(int(place), len(stroke) - 2)
    return torch.lerp(stroke[first], stroke[first + 1], place - first)


def _fit(strokes: list[Tensor], generator: Generator) -> list[Tensor]:
    """The character in a box of random extents around the middle."""
    whole = torch.cat(strokes)
    low, high = whole.amin(0), whole.amax(0)
    span = (high - low).clamp(min=0.05)
    extent = torch.tensor([between(1.0, 1.6, generator), between(1.0, 1.6, generator)])
    even = (extent / span).min()
    scale = torch.minimum(extent / span, even * 1.3)
    return [(stroke - (low + high) / 2) * scale for stroke in strokes]


def _direction(generator: Generator) -> float:
    """An angle, mostly near a multiple of 45 degrees, upright and level ones first."""
    return one_of((0, 2, 2, 4, 6, 1, 3), generator) * math.pi / 4 + 0.15 * float(torch.randn((), generator=generator))


def _polar(angle: Tensor, radius: Tensor) -> Tensor:
    return torch.stack([radius * angle.cos(), radius * angle.sin()], -1)


def _line(generator: Generator) -> tuple[Tensor, bool]:
    angle, length = _direction(generator), between(0.5, 1.5, generator)
    reach = torch.linspace(-0.5, 0.5, 3) * length
    bow = torch.tensor([0.0, between(-0.08, 0.08, generator), 0.0])
    return _turn(torch.stack([reach, bow], 1), angle), False


def _arc(generator: Generator) -> tuple[Tensor, bool]:
    sweep, start, radius = between(1.5, 4.5, generator), between(0, 2 * math.pi, generator), between(0.25, 0.6, generator)
    angles = torch.linspace(start, start + sweep, 6)
    return _polar(angles, torch.full_like(angles, radius)) * torch.tensor([1.0, between(0.6, 1.4, generator)]), False


def _circle(generator: Generator) -> tuple[Tensor, bool]:
    start, radius = between(0, 2 * math.pi, generator), between(0.15, 0.5, generator)
    angles = torch.linspace(start, start + 2 * math.pi + 0.1, 9)
    return _polar(angles, torch.full_like(angles, radius)) * torch.tensor([1.0, between(0.7, 1.3, generator)]), False


def _hook(generator: Generator) -> tuple[Tensor, bool]:
    length, curl, side = between(0.6, 1.2, generator), between(0.15, 0.3, generator), one_of((-1, 1), generator)
    angles = torch.linspace(0, between(1.5, 3.6, generator), 4)
    bend = torch.stack([length + curl * angles.sin(), side * curl * (1 - angles.cos())], 1)
    return _turn(torch.cat([torch.tensor([[0.0, 0.0], [length / 2, 0.0]]), bend]), _direction(generator)), False


def _wave(generator: Generator) -> tuple[Tensor, bool]:
    bends, height = 1 + below(3, generator), between(0.12, 0.3, generator)
    reach = torch.linspace(-0.6, 0.6, 3 * bends + 2) * between(0.7, 1.2, generator)
    return _turn(torch.stack([reach, height * torch.sin(reach * math.pi * (bends + 0.5))], 1), _direction(generator)), False


def _corner(generator: Generator) -> tuple[Tensor, bool]:
    legs = 2 + (chance(0.35, generator))
    points, angle = [torch.zeros(2)], _direction(generator)
    for _ in range(legs):
        points.append(points[-1] + between(0.35, 0.9, generator) * torch.tensor([math.cos(angle), math.sin(angle)]))
        angle += one_of((-1, 1), generator) * between(1.2, 2.4, generator)
    return torch.stack(points), True


def _zigzag(generator: Generator) -> tuple[Tensor, bool]:
    teeth, height = 3 + below(3, generator), between(0.15, 0.4, generator)
    reach = torch.linspace(-0.6, 0.6, teeth + 1) * between(0.7, 1.3, generator)
    tips = height * torch.tensor([(-1.0) ** i for i in range(teeth + 1)])
    return _turn(torch.stack([reach, tips], 1), _direction(generator)), True


def _box(generator: Generator) -> tuple[Tensor, bool]:
    w, h = between(0.25, 0.6, generator), between(0.25, 0.6, generator)
    corners = torch.tensor([[-w, -h], [w, -h], [w, h], [-w, h], [-w, -h]])
    triangle = torch.tensor([[-w, h], [0.0, -h], [w, h], [-w, h]])
    return _turn(triangle if below(2, generator) else corners, between(-0.1, 0.1, generator)), True


def _loop(generator: Generator) -> tuple[Tensor, bool]:
    angles = torch.linspace(-0.75 * math.pi, 0.75 * math.pi, 6)
    radius = between(0.15, 0.3, generator)
    eye = _polar(angles, torch.full_like(angles, radius)) + torch.tensor([radius * 1.4, 0.0])
    tail = between(0.3, 0.7, generator)
    ends = torch.tensor([[-tail, tail * 0.8], [-tail, -tail * 0.8]])
    return _turn(torch.cat([ends[:1], eye, ends[1:]]), _direction(generator)), False


def _spiral(generator: Generator) -> tuple[Tensor, bool]:
    angles = torch.linspace(0, between(5.0, 9.0, generator), 9)
    return _turn(_polar(angles, torch.linspace(0.1, between(0.35, 0.55, generator), 9)), between(0, 6.28, generator)), False


def _dot(generator: Generator) -> tuple[Tensor, bool]:
    return torch.tensor([[0.0, 0.0], [0.04, 0.02], [0.07, 0.05]]), False


def _turn(points: Tensor, angle: float) -> Tensor:
    rotation = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return points @ rotation


Primitives = tuple[Callable[[Generator], tuple[Tensor, bool]], ...]
PRIMITIVES: Primitives = (
    *(_line,) * 6, *(_arc,) * 4, *(_hook,) * 3, *(_corner,) * 4, *(_circle,) * 2,
    _wave, _wave, _zigzag, _box, _loop, _spiral, _dot,
)  # fmt: skip


# --- exemplars: how different hands draw it ---


def exemplars(program: Program, count: int, generator: Generator) -> Tensor:
    """Polylines [count, strokes, POINTS, 2] in [-1, 1], with motor noise by point, stroke and hand."""
    loose = program.looseness

    def noise(*shape: int, scale: float) -> Tensor:
        return loose * scale * torch.randn(shape, generator=generator)

    lines = []
    for stroke, sharp in zip(program.strokes, program.sharp, strict=True):
        points = stroke + noise(count, len(stroke), 2, scale=0.03)
        middle = points.mean(1, keepdim=True)
        points = (points - middle) @ (torch.eye(2) + noise(count, 2, 2, scale=0.08)) + middle
        points = points + noise(count, 1, 2, scale=0.035)
        lines.append(torch.einsum("sp,npd->nsd", _basis(len(stroke), sharp), points))
    whole = torch.stack(lines, 1)
    tilt, slant = noise(count, scale=0.08), noise(count, scale=0.12)
    width, height = torch.exp(noise(count, scale=0.1)), torch.exp(noise(count, scale=0.1))
    hand = torch.stack([torch.stack([width, tilt], 1), torch.stack([slant - tilt, height], 1)], 1)
    return torch.einsum("nspd,nde->nspe", whole, hand) + noise(count, 1, 1, 2, scale=0.06)


@cache
def _basis(points: int, sharp: bool) -> Tensor:
    """Weights [POINTS, points]: a polyline through control points, straight or as a Catmull-Rom spline."""
    place = torch.linspace(0, points - 1, POINTS).clamp(max=points - 1 - 1e-4)
    first, t = place.long(), place - place.floor()
    if sharp:
        weights = torch.stack([torch.zeros_like(t), 1 - t, t, torch.zeros_like(t)], 1)
    else:
        weights = 0.5 * torch.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], 1)
    basis = torch.zeros(POINTS, points)
    for offset in range(4):
        basis.scatter_add_(1, (first + offset - 1).clamp(0, points - 1)[:, None], weights[:, offset : offset + 1])
    return basis


# --- pixels ---


def rendered(lines: Tensor, width: Tensor, size: int) -> Tensor:
    """Polylines [N, strokes, P, 2] drawn `width` [N] pixels wide with round ends: uint8 [N, size, size]."""
    scaled = ((lines + 1) * (size * FINER / 2)).tolist()
    sheets = [_sheet(strokes, pen, size) for strokes, pen in zip(scaled, (width * FINER).tolist(), strict=True)]
    return torch.from_numpy(np.stack(sheets))


def _sheet(strokes: list[list[list[float]]], pen: float, size: int) -> np.ndarray[Any, Any]:
    image = Image.new("L", (size * FINER, size * FINER))
    canvas, radius = ImageDraw.Draw(image), pen / 2
    for stroke in strokes:
        canvas.line([(x, y) for x, y in stroke], fill=255, width=round(pen), joint="curve")
        for x, y in (stroke[0], stroke[-1]):
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(FINER))


@dataclass(frozen=True)
class DrawnTasks:
    """The doodles as a source: task numbers from `first` on."""

    family: Doodles
    first: int
    channels: int = 1
    name: str = "doodles"
    motif: str = "one"

    def tasks(self, fewest: int) -> int:
        """As many as there can be."""
        return UNLIMITED

    def draw(self, index: int, count: int, rng: torch.Generator) -> Tensor:
        """Exemplars of task number `index`."""
        ink = self.family.draw(self.first + index, count, rng)[:, None]
        return ink if self.channels == 1 else 255 - ink.expand(-1, self.channels, -1, -1)

    def title(self, index: int, fewest: int) -> str:
        """Its number."""
        return f"doodle {index}"


def doodle_tasks(size: int, channels: int) -> Split:
    """The drawn task family at a size in pixels."""
    family = Doodles(size)
    return Split(DrawnTasks(family, 0, channels), DrawnTasks(family, UNLIMITED, channels))
