"""Invented characters, as scripts have them: staves, and few strokes that meet them on a lattice, by one pen for all."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from metagan_cli.data.sources.doodles import CALM, Program, exemplars, rendered
from metagan_cli.rng import chance, generator_for, one_of

PEN, REACH = 0.05, 0.9  # width of strokes, as a share of the image side; and how far they go from its middle, in half sides
SEARCHED = 20  # times as many characters as are wanted, that are looked through
TALL, STEP, SIDE = 0.76, 0.38, 0.42  # half a stave, and what lies between rows and columns, in half sides
Line = tuple[Tensor, bool]  # control points [P, 2], x and y in [-1, 1], and whether they are joined by straight lines


def character(number: int, size: int, hand: int, straight: bool) -> Tensor:
    """A character by its number, of straight strokes alone or of any, as one hand draws it: uint8 [1, size, size], ink 255."""
    strokes, sharp = zip(*_lines(number, straight), strict=True)
    whole = torch.cat(strokes)
    middle = (whole.amin(0) + whole.amax(0)) / 2
    program = Program(tuple(stroke - middle for stroke in strokes), tuple(sharp), PEN, CALM)
    drawn = exemplars(program, 1, generator_for(hand, "invented", number))
    drawn = drawn * (REACH / drawn.abs().amax()).clamp(max=1.0)
    return rendered(drawn, torch.tensor([PEN * size]), size)


def different(count: int, straight: bool) -> list[int]:
    """The numbers of the first so many characters, some hundreds at most, of which no two are the same."""
    found = dict[frozenset[tuple[float, ...]], int]()
    for number in range(SEARCHED * count):
        strokes = frozenset(tuple(stroke.flatten().mul(100).round().tolist()) for stroke, _ in _lines(number, straight))
        found.setdefault(strokes, number)
        if len(found) == count:
            break
    return list(found.values())


def _lines(number: int, straight: bool) -> list[Line]:
    rng = generator_for(0, "character", number)
    return _staves(rng, straight) if chance(0.82, rng) else _polygon(rng, straight)


def _staves(rng: Generator, straight: bool) -> list[Line]:
    """One stave with twigs, or two with bars between."""
    if chance(0.22, rng):
        lines = [_line((x, -TALL), (x, TALL)) for x in (-SIDE, SIDE)]
        return lines + one_of(BARS, rng)(rng)
    middle = chance(0.5, rng)
    ways = (-1, 1) if middle else (1,)
    lines, free = [_line((0.0, -TALL), (0.0, TALL))], [-2, -1, 0, 1]  # rows, each to the next one below
    for _ in range(1 + chance(0.6, rng)):
        row = one_of(free, rng)
        part = one_of((*TWIGS, *ROUND) if not straight else TWIGS, rng)
        way = one_of(ways, rng)
        lines += part(row, way, rng)
        if middle and chance(0.5, rng):
            lines += [(stroke * torch.tensor([-1.0, 1.0]), sharp) for stroke, sharp in part(row, way, rng)]
        free = [other for other in free if abs(other - row) > 1]
        if not free:
            break
    return lines


def _polygon(rng: Generator, straight: bool) -> list[Line]:
    """A character without a stave: a zigzag, a cross, a diamond on legs, or what is round."""
    wide, low = SIDE * (0.8 + 0.4 * chance(0.5, rng)), TALL * (0.2 + 0.3 * chance(0.5, rng))
    shapes: list[list[Line]] = [
        [_line((-wide, -TALL), (-wide, 0.1), (wide, -0.1), (wide, TALL))],
        [_line((wide, -TALL), (-wide, -0.15), (wide, 0.15), (-wide, TALL))],
        [_line((-wide, -TALL), (wide, TALL)), _line((wide, -TALL), (-wide, TALL))],
        [_line((0.0, -TALL), (wide, -low), (0.0, low / 2), (-wide, -low), (0.0, -TALL))],
        [_line((-wide, TALL), (0.0, -TALL), (wide, TALL)), _line((-wide / 2, low), (wide / 2, low))],
    ]
    chosen = one_of(shapes, rng)
    if chosen is shapes[3] and chance(0.7, rng):
        chosen = [*chosen, _line((0.0, low / 2), (wide, TALL)), _line((0.0, low / 2), (-wide, TALL))]
    if straight or chance(0.4, rng):
        return chosen
    return [_ring(0.0, -0.2, 0.45), *([_line((0.0, 0.25), (0.0, TALL))] if chance(0.6, rng) else [])]


def _twig(row: int, way: int, rng: Generator) -> list[Line]:
    down = 1 if chance(0.5, rng) else -1
    start = row if down > 0 else row + 1
    return [_line((0.0, STEP * start), (way * SIDE, STEP * (start + down)))]


def _twigs(row: int, way: int, rng: Generator) -> list[Line]:
    near = STEP * row
    return [_line((0.0, near + y), (way * SIDE, near + y + 0.9 * STEP)) for y in (0.0, 0.85 * STEP)]


def _flag(row: int, way: int, rng: Generator) -> list[Line]:
    top = STEP * min(row, 0)
    return [_line((0.0, top), (way * SIDE, top + STEP), (0.0, top + 2 * STEP))]


def _elbow(row: int, way: int, rng: Generator) -> list[Line]:
    top = STEP * min(row, 0)
    return [_line((0.0, top), (way * SIDE, top + 0.7 * STEP), (way * SIDE, top + 2 * STEP))]


def _bar(row: int, way: int, rng: Generator) -> list[Line]:
    middle = STEP * (row + 0.5)
    return [_line((-way * SIDE, middle - STEP / 2), (way * SIDE, middle + STEP / 2))]


def _bowl(row: int, way: int, rng: Generator) -> list[Line]:
    angle, top = torch.linspace(-torch.pi / 2, torch.pi / 2, 6), STEP * min(row, 0)
    return [(torch.stack([way * SIDE * angle.cos(), top + STEP * (1 + angle.sin())], 1), False)]


def _hook(row: int, way: int, rng: Generator) -> list[Line]:
    angle, top = torch.linspace(0, 2.2, 5), STEP * row
    return [(torch.stack([way * SIDE * angle.sin(), top + 0.5 * STEP * (1 - angle.cos())], 1), False)]


def _eye(row: int, way: int, rng: Generator) -> list[Line]:
    return [_ring(way * 0.55 * SIDE, STEP * (row + 0.5), 0.5 * SIDE)]


def _slope(rng: Generator) -> list[Line]:
    high = STEP * one_of((-1, 0), rng)
    return [_line((-SIDE, high - STEP / 2), (SIDE, high + STEP / 2))]


def _cross(rng: Generator) -> list[Line]:
    top = STEP * one_of((-2, -1, 0), rng)
    return [_line((-SIDE, top), (SIDE, top + 2 * STEP)), _line((SIDE, top), (-SIDE, top + 2 * STEP))]


def _peak(rng: Generator) -> list[Line]:
    return [_line((-SIDE, -TALL), (0.0, STEP * one_of((-1, 0), rng)), (SIDE, -TALL))]


def _rungs(rng: Generator) -> list[Line]:
    return [_line((-SIDE, y), (SIDE, y)) for y in (-STEP / 2, STEP / 2)]


Twig = Callable[[int, int, Generator], list[Line]]
TWIGS: tuple[Twig, ...] = (_twig, _twig, _twigs, _flag, _flag, _elbow, _bar)
ROUND: tuple[Twig, ...] = (_bowl, _bowl, _hook, _hook, _eye)
BARS: tuple[Callable[[Generator], list[Line]], ...] = (_slope, _slope, _cross, _peak, _rungs)


def _line(*points: tuple[float, float]) -> Line:
    return torch.tensor(points), True


def _ring(x: float, y: float, radius: float) -> Line:
    angle = torch.linspace(0, 2 * torch.pi + 0.1, 9)
    return torch.stack([x + radius * angle.sin(), y - radius * angle.cos()], 1), False
