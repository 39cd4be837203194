"""Commands at once on one machine: on outputs of their own, on the same files, and in the same folder."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from metagan_cli.errors import ExitCode
from reliability.kills import CASES, Case, finish, found, prepare, start_fresh

ADAPT, SAMPLE, AUGMENT = CASES[:3]


def together(place: Path, count: int) -> list[str]:
    """What went wrong when `count` commands ran at once: by turns, adapt and sample at the same files, augment in one folder.

    Each must end with 0, or where another was in the folder of its results, with 5 and that one's pid; and all that lies there in
    the end must be what one command alone leaves.
    """
    prepared, wrong = prepare(place / "prepared"), list[str]()
    alone = {}
    for case in (ADAPT, SAMPLE, AUGMENT):
        shutil.copytree(prepared, place / case.name)
        finish(start_fresh, case.arguments, place / case.name)
        alone[case.name] = found(place / case.name)
    by_turns = [(ADAPT, SAMPLE, AUGMENT)[number % 3] for number in range(count)]
    wrong += _apart(by_turns, alone, prepared, place)
    for name, cases in (("files", [(ADAPT, SAMPLE)[number % 2] for number in range(count)]), ("folder", count * [AUGMENT])):
        wrong += _on_the_same(name, cases, alone, prepared, place)
    return wrong


def _apart(cases: Sequence[Case], alone: dict[str, dict[str, str]], prepared: Path, place: Path) -> list[str]:
    """Each on an output of its own, all of them in one folder."""
    shutil.copytree(prepared, place / "apart")
    outputs = [f"{number}{'.safetensors' if case is ADAPT else ''}" for number, case in enumerate(cases)]
    own = [replace(case, arguments=_to(case, output)) for case, output in zip(cases, outputs, strict=True)]
    wrong, ended = list[str](), _run(own, place / "apart")
    for case, output, (code, said) in zip(cases, outputs, ended, strict=True):
        wrong += [f"{case.name}: ended with {code}: {said}"] if code else []
        usual = {name.replace(_output(case), output, 1): digest for name, digest in alone[case.name].items()}
        there = {name: digest for name, digest in found(place / "apart").items() if name in usual}
        wrong += [f"{case.name} at once: left something else than alone"] if not code and usual != there else []
    return wrong


def _on_the_same(name: str, cases: Sequence[Case], alone: dict[str, dict[str, str]], prepared: Path, place: Path) -> list[str]:
    """All at the same output."""
    shutil.copytree(prepared, place / name)
    wrong, ended = list[str](), _run(cases, place / name)
    pids = {str(pid) for pid in _PIDS}
    for case, (code, said) in zip(cases, ended, strict=True):
        refused = case is AUGMENT and code == ExitCode.OUTPUT and said.rpartition("(pid ")[2].rstrip(")") in pids
        wrong += [] if code == 0 or refused else [f"{case.name} on the same {name}: ended with {code}: {said}"]
    wrong += [] if any(code == 0 for code, _ in ended) else [f"none got the {name}"]
    usual = {path: digest for case in set(cases) for path, digest in alone[case.name].items()}
    return wrong + [f"{path}: is not what one leaves alone" for path in sorted(usual.items() ^ found(place / name).items())]


_PIDS = list[int]()  # of all commands that were started


def _run(cases: Sequence[Case], folder: Path) -> list[tuple[int, str]]:
    """How commands that are started at once end: their codes, and their last line of errors."""
    started = []
    for case in cases:
        command = [sys.executable, "-m", "metagan_cli", *case.arguments]
        started.append(subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        _PIDS.append(started[-1].pid)
    ended = [process.communicate()[1].strip().splitlines() or [""] for process in started]
    return [(process.returncode, lines[-1]) for process, lines in zip(started, ended, strict=True)]


def _output(case: Case) -> str:
    """What a case writes: what stands after its option for that."""
    option = "--each" if "--each" in case.arguments else "-o"
    return case.arguments[case.arguments.index(option) + 1]


def _to(case: Case, output: str) -> tuple[str, ...]:
    return tuple(output if argument == _output(case) else argument for argument in case.arguments)
