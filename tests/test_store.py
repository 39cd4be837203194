"""Files: atomic, with the mode that the umask gives, and without leftovers."""

import ctypes
import os
import platform
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import gaussian
from PIL import Image
from safetensors.torch import load, save

from metagan_cli.errors import InputError, OutputError
from metagan_cli.images.sheets import picture, tile, to_bytes
from metagan_cli.store import files, locks, pictures
from metagan_cli.store.tensors import read_tensors, write_tensors


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        files.write_bytes(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_mode_by_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("write", ["written", "linked"])
def test_what_killed_runs_left_goes_when_something_is_written_there(write: str, tmp_path: Path) -> None:
    ended, here, end = gone(), platform.node(), files.TEMPORARY
    orphans = [f".{ended}-00ff@{here}{end}", f".{ended}-00fe@elsewhere{end}", f".of-an-older-version{end}"]
    kept = [f".{os.getppid()}-00ff@{here}{end}", f".{ended}-00fd@elsewhere{end}", ".hidden", f"mine{end}"]
    for name in (*orphans, *kept):
        (tmp_path / name).touch()
    for name in orphans[1:]:
        os.utime(tmp_path / name, (0, 0))
    if write == "written":
        files.write_bytes(tmp_path / "file", b"x")
    else:
        files.link_or_copy(Path(__file__), tmp_path / "file")
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "file"])


def test_a_name_of_any_length_is_written(tmp_path: Path) -> None:
    name = 85 * "\u8a9e"  # 255 bytes, as many as a name may have
    files.write_bytes(tmp_path / name, b"x")
    assert os.listdir(tmp_path) == [name]


HOLD = """
import os, sys, time
from pathlib import Path
from metagan_cli.store.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    if sys.argv[2] == "fork" and not os.fork():
        time.sleep(0.5)
        os._exit(0)
    time.sleep(60)
"""


@pytest.mark.parametrize("start", ["alone", "fork"])
def test_a_lock_is_held_as_long_as_its_process_lives(start: str, tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "out", start], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match=f"pid {holder.pid}"), locks.locked(tmp_path / "out"):
            pass
        holder.kill()
        holder.wait()
        with locks.locked(tmp_path / "out"):  # where it had started others, as soon as they have ended
            assert (tmp_path / "out" / "lock").read_text() == str(os.getpid())
    assert list((tmp_path / "out").iterdir()) == []


def test_the_number_of_a_killed_process_that_another_has_now_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(str(os.getppid()))
    with locks.locked(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


RACE = """
import sys
from pathlib import Path
from metagan_cli.errors import OutputError
from metagan_cli.store.locks import locked
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    try:
        with locked(Path(sys.argv[1])):
            (Path(sys.argv[1]) / "in").mkdir()
            (Path(sys.argv[1]) / "in").rmdir()
    except OutputError as error:
        assert "another run is writing here (pid" in str(error), error
"""


def test_of_several_at_the_same_moment_one_has_it(tmp_path: Path) -> None:
    (tmp_path / "stays").touch()
    command = [sys.executable, "-c", RACE, str(tmp_path), "200"]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(b"go\n")
        racer.stdin.flush()
    for racer in racers:
        racer.communicate()
    assert [racer.returncode for racer in racers] == [0, 0, 0, 0]
    assert os.listdir(tmp_path) == ["stays"]


def test_tensors_come_back(tmp_path: Path) -> None:
    tensors = {"a": torch.randn(3, 4).to(torch.float16), "b": torch.arange(5)}
    digest = write_tensors(tmp_path / "t.safetensors", "run", tensors, {"step": 3})
    file = read_tensors(tmp_path / "t.safetensors", ("run",))
    assert file.hash == digest
    assert file.metadata["step"] == 3
    assert all(torch.equal(file.tensors[name], tensors[name]) for name in tensors)


def test_writing_leaves_nothing_in_memory(tmp_path: Path) -> None:
    """A type of ctypes stays for good, and one for each size of a tensor would be a leak where images of all sizes are kept."""
    lengths = range(3000, 3010)
    for length in lengths:
        write_tensors(tmp_path / "t.safetensors", "run", {"a": torch.zeros(length, dtype=torch.uint8)}, {})
    assert not {getattr(kind, "_length_", 0) for kind in ctypes.Array.__subclasses__()} & set(lengths)


def test_what_is_written_is_what_torch_would_write(tmp_path: Path) -> None:
    kinds = (torch.float16, torch.float32, torch.float64, torch.uint8, torch.int64, torch.bool)
    tensors = {str(kind): gaussian("kinds", 2, 3).to(kind) for kind in kinds} | {
        "one": torch.tensor(0.5),
        "none": torch.zeros(1, 0),
    }
    write_tensors(tmp_path / "t.safetensors", "run", tensors, {})
    data, plain = (tmp_path / "t.safetensors").read_bytes(), save(tensors)
    assert data[8 + int.from_bytes(data[:8], "little") :] == plain[8 + int.from_bytes(plain[:8], "little") :]
    assert all(torch.equal(tensors[name], tensor) for name, tensor in load(data).items())


def test_a_header_of_any_length_is_read(tmp_path: Path) -> None:
    """Its length comes first in the file, and some lengths look like the first bytes of a pickle."""
    tensors, seen = {"a": torch.zeros(1)}, set()
    for length in range(0, 1400, 8):
        write_tensors(tmp_path / "t.safetensors", "run", tensors, {"pad": length * "x"})
        seen.add((tmp_path / "t.safetensors").read_bytes()[:2])
        assert read_tensors(tmp_path / "t.safetensors", ("run",)).metadata["pad"] == length * "x"
    assert b"\x80\x04" in seen


def test_grid() -> None:
    images = torch.linspace(-1, 1, 5)[:, None, None, None].expand(5, 1, 4, 4)
    dark, light = to_bytes(images, light_on_dark=True), to_bytes(images, light_on_dark=False)
    assert dark[:, 0, 0, 0].tolist() == [0, 64, 128, 191, 255]
    assert light[0, 0, 0, 0] == 255
    sheet = tile(dark, 3, ground=7)
    assert sheet.shape == (2 * 6 + 2, 3 * 6 + 2, 1)
    assert sheet[3, 9, 0] == 64
    assert sheet[9, 15, 0] == 7
    assert sheet[0, 0, 0] == 7
    assert picture(sheet, 3).size == (60, 42)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.jpg", "a.gif"])
def test_pictures_carry_their_text(name: str, tmp_path: Path) -> None:
    image = Image.new("L", (20, 20), 128)
    pictures.write_picture(tmp_path / name, image, {"kind": "sample", "seeds": "0-3"})
    text = pictures.read_text(tmp_path / name)
    assert text["seeds"] == "0-3"
    assert pictures.written_by_metagan(tmp_path / name)
    image.save(tmp_path / name)
    assert not pictures.written_by_metagan(tmp_path / name)
    with pytest.raises(InputError):
        pictures.read_text(tmp_path / name)
