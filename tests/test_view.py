"""The page to pick from: what it holds, what it hides from whom, and what it writes."""

import base64
import html
import http.client
import io
import json
import re
import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Ran, Running, draw_folder, refused, run, start
from PIL import Image

from metagan_cli.config import SampleConfig
from metagan_cli.sampling.sampler import Sampler
from metagan_cli.store.manifests import NAME
from metagan_cli.workflows.ready import load_ready
from metagan_cli.workflows.view.page import page
from metagan_cli.workflows.view.results import Result, results_in, view_results
from metagan_cli.workflows.view.shown import HEAVY, Choice, Example, View, shown

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = "a\"'><script>alert(1)</script>\n&amp;"


def viewed(*options: object, cwd: Path) -> tuple[Ran, list[dict[str, str]], str]:
    """A page that was written, and the attributes of its pictures' buttons."""
    ran = run("view", *options, "--json", cwd=cwd)
    assert ran.code == 0, ran.err
    text = (cwd / json.loads(ran.out)["out"]).read_text()
    return ran, buttons(text), text


def buttons(text: str) -> list[dict[str, str]]:
    """The data of a page's buttons, and the pictures in them."""
    found = []
    for attributes, inside in re.findall(r"<button([^>]*data-name[^>]*)>(.*?)</button>", text, re.DOTALL):
        data = {name: html.unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', attributes)}
        found.append(data | {"copied": "copied" if "data-copied" in attributes else "", "image": image_in(inside)})
    return found


def image_in(inside: str) -> str:
    (uri,) = re.findall(r'src="(data:[^"]*)"', inside)
    return str(uri)


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def results(folder: Path, rows: list[dict[str, Any]], header: dict[str, Any] | None = None) -> Path:
    """A folder of results, with a picture for each row whose image can be a file in it."""
    folder.mkdir(exist_ok=True)
    for number, row in enumerate(rows):
        if not str(row["image"]).startswith((".", "/", "gone")):
            (folder / row["image"]).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (16, 12), 20 * number).save(folder / row["image"])
    lines = [header or {"metagan": 1, "kind": "augment"}, {"class": "all", "new": len(rows)}, *rows]
    (folder / NAME).write_text("\n".join(map(json.dumps, lines)) + "\n")
    return folder


ROWS: list[dict[str, Any]] = [
    {"image": "cat/new0.png", "class": "cat", "seed": 0, "example": "cat/old.png", "distance": 0.4, "copy": False},
    {"image": "cat/new1.png", "class": "cat", "seed": 1, "example": "cat/old.png", "distance": 0.01, "copy": True},
    {"image": "dog/new0.png", "class": "dog", "seed": 0, "distance": 0.3, "copy": False},
]


# --- the page ---


def test_a_page_holds_the_samples_that_sample_draws(adapted: Path, tmp_path: Path) -> None:
    ran, found, text = viewed(adapted, "-n", "6", "--seed", "3", "--truncation", "0.5", cwd=tmp_path)
    told = json.loads(ran.out)
    assert run("sample", adapted, "-n", "6", "--seed", "3", "--truncation", "0.5", "--each", "new", cwd=tmp_path).code == 0
    assert [data["name"] for data in found] == ["3", "4", "5", "6", "7", "8"]
    for number, data in enumerate(found):
        with Image.open(tmp_path / f"new/{number:06d}.png") as sample, opened(data["image"]) as on_page:
            assert on_page.tobytes() == sample.tobytes()
    assert told["count"] == 6
    assert told["examples"] == text.count("<li title=") == 5
    assert told["bytes"] == (tmp_path / "view.html").stat().st_size
    assert told["copies"] == sum(data["copied"] != "" for data in found)
    assert all(0 <= float(data["distance"]) <= 1 and int(data["nearest"]) < 5 for data in found)
    assert f"Hide copies ({told['copies']})" in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert "Drawn by tiny" in text
    assert "sample 3" in text


def test_the_command_of_a_page_asks_for_the_same(adapted: Path, tmp_path: Path) -> None:
    model = Path(shutil.copy(adapted, tmp_path / "my model.safetensors"))
    options = ["--truncation", "0.5", "--size", "40", "--variants"]
    _, found, text = viewed(model.name, "--seeds", "9,3,3", "--each", "the best", *options, cwd=tmp_path)
    before, after = (html.unescape(re.findall(rf'data-{name}="([^"]*)"', text)[0]) for name in ("before", "after"))
    assert [data["name"] for data in found] == ["3", "9"]
    assert shlex.split(f"{before}9{after}")[:3] == ["metagan", "sample", "my model.safetensors"]
    assert run(*shlex.split(f"{before}9{after}")[1:], cwd=tmp_path).code == 0
    with Image.open(tmp_path / "the best/000000.png") as sample, opened(found[1]["image"]) as on_page:
        assert on_page.size == (40, 40)
        assert on_page.tobytes() == sample.tobytes()


def test_a_folder_is_adapted_first_and_its_warnings_stand_on_the_page(tiny_model: Path, tmp_path: Path) -> None:
    draw_folder(tmp_path / "images", 1)
    ran, found, text = viewed("images", "--from", tiny_model, "-n", "2", "-o", "pages/one.html", cwd=tmp_path)
    assert len(found) == 2
    assert "one image only" in ran.err
    assert "one image only" in text
    assert '<li title="0.png">' in text
    assert f"--from {tiny_model}" in text


def test_motifs_are_one_of_each_unless_told_otherwise(adapted: Path, tmp_path: Path) -> None:
    _, found, text = viewed(adapted, "--motifs", "home,heart", cwd=tmp_path)
    assert [data["name"] for data in found] == ["0", "1"]
    assert "heart, sample 1" in text
    assert "--motifs home,heart" in text
    assert not any("quality" in data for data in found)
    assert 'value="quality"' not in text
    assert "more than a page" in refused(2, "view", adapted, "--motifs", "all", cwd=tmp_path)


def test_variants_have_the_quality_by_which_they_were_accepted(adapted: Path, tmp_path: Path) -> None:
    _, found, text = viewed(adapted, "--variants", "-n", "5", cwd=tmp_path)
    assert 'value="quality"' in text
    ready = load_ready(adapted)
    sampler = Sampler(ready.base.nets, ready.state, SampleConfig().truncation)
    (drawn,) = sampler.stream(range(5))
    assert drawn.scores is not None
    assert [float(data["quality"]) for data in found] == pytest.approx(drawn.scores.tolist(), abs=1e-3)
    assert float(drawn.scores.abs().max()) < 100  # nothing is taken off for copies
    (single,) = Sampler(ready.base.nets, ready.state, drafts=1).stream(range(5))
    assert single.scores is None


def test_nothing_in_a_name_becomes_part_of_the_page() -> None:
    picture = shown(Image.new("L", (8, 8)))
    choice = Choice(HOSTILE, HOSTILE, picture, 0, 0.2, group=HOSTILE)
    example = Example(HOSTILE, picture)
    view = View(HOSTILE, HOSTILE, (choice, choice), (example,), f"{HOSTILE} ", ",", HOSTILE, (HOSTILE,))
    for each in (None, Path(HOSTILE)):
        text = page(view, each).decode()
        assert text.count("<script>") == 1
        assert "alert(1)</script>" not in text
        assert buttons(text)[0]["name"] == HOSTILE
    assert "\\udcff" in page(View("\udcff", "", (choice,), (), "", "\n", "", ())).decode()


def test_what_a_page_shows_of_pictures() -> None:
    small, large = Image.new("RGB", (20, 8), "red"), Image.new("RGBA", (600, 300))
    assert shown(small).in_pixels
    assert opened(shown(large).uri).size == (256, 128)
    assert not shown(large).in_pixels
    noise = Image.effect_noise((256, 256), 90)
    assert shown(noise).uri.startswith("data:image/webp")
    assert len(shown(noise).uri) < 4 * HEAVY


def test_pages_are_replaced_and_other_files_are_not(adapted: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("<p>mine, made by metagan view</p>")
    assert "was not written by metagan" in refused(5, "view", adapted, "-o", "mine.html", cwd=tmp_path)
    viewed(adapted, "-n", "2", "-o", "mine.html", "--overwrite", cwd=tmp_path)
    viewed(adapted, "-n", "1", "-o", "mine.html", cwd=tmp_path)
    for _ in range(2):  # beside the images as well
        viewed(results(tmp_path / "out", ROWS), "-o", "out/view.html", cwd=tmp_path)
    told = json.loads(run("inspect", "mine.html", "--json", cwd=tmp_path).out)
    assert told["what"] == "page made by metagan"
    assert told["count"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-n", "1001"], "more than a page"),
        (["-n", "2", "--seeds", "1"], "--seeds"),
        (["--seed", "2", "--seeds", "1"], "--seeds"),
        (["--seed", str(2**64 - 2)], "2^64"),
        (["-o", "page.png"], ".html"),
        (["-o", "page.html", "--serve"], "--serve"),
        (["--port", "0"], "--serve"),
        (["--motifs", "home", "--variants"], "--variants"),
        (["--size", "huge"], "--size"),
        (["--from", "glyph"], "adapted already"),
    ],
)
def test_what_cannot_be(options: list[str], said: str, adapted: Path, tmp_path: Path) -> None:
    assert said in refused(2, "view", adapted, *options, cwd=tmp_path)


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "adapted.safetensors" in refused(4, "view", cwd=tmp_path)


# --- folders of results ---


def test_a_folder_that_augment_filled(tmp_path: Path) -> None:
    out = results(tmp_path / "out", ROWS)
    Image.new("L", (16, 12)).save(out / "cat/old.png")
    ran, found, text = viewed("out", cwd=tmp_path)
    told = json.loads(ran.out)
    assert [data["name"] for data in found] == ["cat/new0.png", "cat/new1.png", "dog/new0.png"]
    assert [data.get("nearest") for data in found] == ["0", "0", None]
    assert [data["copied"] for data in found] == ["", "copied", ""]
    assert [data["group"] for data in found] == ["1", "1", "2"]
    assert (told["count"], told["examples"], told["copies"], told["nearest"]) == (3, 1, 1, 0.3)
    assert "1 of 3 is a copy" in text
    assert '<option value="2">dog</option>' in text
    assert 'data-between="lines"' in text
    for options in (["--motifs", "home"], ["--seed", "0"], ["--size", "64"], ["--from", "glyph"]):
        assert f"{options[0]}: goes with" in refused(2, "view", "out", *options, cwd=tmp_path)


def test_a_folder_that_sample_filled(adapted: Path, tmp_path: Path) -> None:
    assert run("sample", adapted, "--seeds", "7,9", "--each", "new", "-o", "new/sheet.png", cwd=tmp_path).code == 0
    ran, found, text = viewed("new", cwd=tmp_path)
    assert [data["name"] for data in found] == ["000000.png", "000001.png"]
    assert json.loads(ran.out)["copies"] is None
    assert "whether they are copies cannot be said" in text
    assert 'id="hide"' not in text
    assert 'value="distance"' not in text
    assert ">7</span>" in text
    shutil.copy(draw_folder(tmp_path / "drawn", 1) / "0.png", tmp_path / "new/000002.png")
    assert results_in(tmp_path / "new") is None  # examples among them


def test_a_manifest_of_another_program_is_none(tmp_path: Path) -> None:
    assert results_in(results(tmp_path / "out", ROWS, {"kind": "augment"})) is None
    (tmp_path / "out" / NAME).write_bytes(b"\xff" * 40)
    assert results_in(tmp_path / "out") is None
    assert results_in(tmp_path / "nowhere") is None


def test_a_manifest_leads_nowhere_else(tmp_path: Path) -> None:
    Image.new("L", (16, 12)).save(tmp_path / "secret.png")
    names = ["../secret.png", str(tmp_path / "secret.png"), "gone.png", "gone\0.png", "cat/new.png"]
    out = results(tmp_path / "out", [{"image": name, "example": "../secret.png"} for name in names])
    (out / "link.png").symlink_to(tmp_path / "secret.png")
    found = results_in(out)
    assert found is not None
    view = view_results(out, [*found, Result("link.png"), Result("cat")])
    assert [choice.name for choice in view.choices] == ["cat/new.png"]
    assert view.examples == ()
    assert view.warnings == ("6 of 7 pictures are not there any more, and are left out",)


def test_damaged_manifests_and_pictures(tmp_path: Path) -> None:
    out = results(tmp_path / "out", ROWS)
    with (out / NAME).open("a") as file:
        file.write('{"class": "fox", "new": 2}\n{"image": "cat/ne')  # an interrupted run's
    assert len(results_in(out) or []) == 3
    (out / "cat/new1.png").write_bytes(b"none")
    assert "cat/new1.png: damaged" in refused(3, "view", "out", cwd=tmp_path)
    ran, found, _ = viewed("out", "--skip-bad", cwd=tmp_path)
    assert len(found) == 2
    assert "new1.png" in ran.complaints("warning")[0]
    for path in out.glob("*/*.png"):
        path.unlink()
    assert "none of the 3 pictures" in refused(3, "view", "out", cwd=tmp_path)


def test_fewer_are_evenly_chosen(tmp_path: Path) -> None:
    rows = [{"image": f"{number}.png"} for number in range(7)]
    view = view_results(results(tmp_path / "out", rows), [Result(row["image"]) for row in rows], 3)
    assert [choice.name for choice in view.choices] == ["0.png", "2.png", "4.png"]
    assert view.warnings == ("3 of 7 pictures are shown, evenly chosen",)


# --- the page that is served ---


@contextmanager
def served(*options: object, cwd: Path) -> Iterator[tuple[str, Running]]:
    """A page that is served, and its address; what serves it is interrupted in the end, unless it has ended."""
    running = start("view", *options, "--serve", "--json", cwd=cwd)
    until = time.monotonic() + 60
    while not running.printed().endswith("\n") and time.monotonic() < until and running.process.poll() is None:
        time.sleep(0.05)
    try:
        assert running.printed(), running.said()
        yield json.loads(running.printed())["url"], running
    finally:
        running.process.send_signal(signal.SIGINT)
        running.process.wait(30)


def asked(url: str, what: str = "", body: object = None, method: str = "POST", **headers: str) -> tuple[int, str]:
    """What comes of a request: its status, and what is said."""
    _, _, host, token, _ = url.split("/")
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(host, timeout=60)
    named = {"Content-Type": "application/json", "Host": host} | {k.replace("_", "-"): v for k, v in headers.items()}
    connection.putrequest(method, what if what.startswith("/") else f"/{token}/{what}", skip_host=True)
    if method == "POST" and "Content-Length" not in named:
        named["Content-Length"] = str(len(data))
    for name, value in named.items():
        connection.putheader(name, value)
    connection.endheaders(data if method == "POST" else None)
    answer = connection.getresponse()
    said = answer.status, answer.read().decode()
    connection.close()
    return said


def test_the_server_refuses_all_that_is_not_from_its_page(adapted: Path, tmp_path: Path) -> None:
    with served(adapted, "-n", "4", cwd=tmp_path) as (url, running):
        host, token = url.split("/")[2:4]
        assert host.startswith("127.0.0.1:")
        assert len(token) >= 24
        port = host.split(":")[1]
        pick: dict[str, Any] = {"picked": ["1"]}
        assert asked(url, method="GET")[0] == 200
        assert asked(url, method="GET", Host=f"localhost:{port}")[0] == 200
        for wrong in ("evil.example", f"evil.example:{port}", "127.0.0.1:1", "127.0.0.1", f"[::1]:{port}"):
            assert asked(url, method="GET", Host=wrong)[0] == 403
            assert asked(url, "write", pick, Host=wrong)[0] == 403
        for path in ("/", "//", "/nothing/", f"/{token[:-1]}/", f"/{token}", f"/{token}/view.html", f"/{token}/../", "/%C3%A9/"):
            assert asked(url, path, method="GET")[0] == 404, path
        assert asked(url, "/wrong/write", pick)[0] == 404
        assert asked(url, "other", pick)[0] == 404
        assert asked(url, "write", method="GET")[0] == 404
        assert asked(url, "write", pick, method="PUT")[0] == 501
        assert asked(url, "write", pick, Content_Type="text/plain")[0] == 415
        assert asked(url, "write", b"x", Content_Length="1000000")[0] == 413
        assert asked(url, "write", b"x", Content_Length="9" * 5000)[0] == 413
        assert asked(url, "write", b"", Content_Length="-1")[0] == 411
        bodies: list[Any] = [b"", b"{", b"[" * 1000, b"\xff", [], {}, {"picked": "1"}, {"picked": [1]}, {"picked": []}]
        for body in bodies:
            assert asked(url, "write", body)[0] == 400, body
        for name in ("9", "01", "-1", "../1", "/etc/passwd", "1 ", "1,2"):
            status, said = asked(url, "write", {"picked": ["1", name]})
            assert status == 400
            assert "of this page" in json.loads(said)["error"]
        assert not list(tmp_path.iterdir())
        assert running.process.poll() is None
        assert "Traceback" not in running.said()


def test_what_is_picked_is_written_as_sample_writes_it(adapted: Path, tmp_path: Path) -> None:
    with served(adapted, "-n", "8", "--truncation", "0.7", cwd=tmp_path) as (url, running):
        status, said = asked(url, "write", {"picked": ["5", "2", "5", "7"]})
        assert (status, json.loads(said)) == (200, {"told": "wrote 3 images to picked"})
        run("sample", adapted, "--seeds", "2,5,7", "--truncation", "0.7", "--each", "same", cwd=tmp_path)
        assert contents(tmp_path / "picked") == contents(tmp_path / "same")
        assert asked(url, "write", {"picked": ["7"]})[0] == 200
        assert list(contents(tmp_path / "picked")) == ["000000.png"]  # and not what is picked no more
        (tmp_path / "picked/000000.png").write_bytes(b"mine")
        status, said = asked(url, "write", {"picked": ["3"]})
        assert status == 409
        assert "--overwrite replaces it" in json.loads(said)["error"]
        assert (tmp_path / "picked/000000.png").read_bytes() == b"mine"
        assert asked(url, "done", {})[0] == 200
        assert running.process.wait(30) == 0
        assert "wrote 3 images to picked" in running.said()


def test_an_interruption_ends_the_serving(adapted: Path, tmp_path: Path) -> None:
    with served(adapted, "-n", "1", cwd=tmp_path) as (url, running):
        with pytest.raises(OSError, match="refused"):
            asked(url.replace("127.0.0.1", "127.0.0.2"), method="GET")  # at one address alone
        port = url.split("/")[2].split(":")[1]
        assert f"--port {port}" in refused(2, "view", adapted, "-n", "1", "--serve", "--port", port, cwd=tmp_path)
        running.process.send_signal(signal.SIGINT)
        ran = running.finish(30)
    assert ran.code == 130
    assert "Traceback" not in ran.err
    assert json.loads(ran.out)["out"] is None


def test_results_that_are_picked_are_linked(tmp_path: Path) -> None:
    out = results(tmp_path / "out", ROWS)
    assert "is the folder that is looked at" in refused(2, "view", "out", "--serve", "--each", "out", cwd=tmp_path)
    with served("out", "--each", "best", cwd=tmp_path) as (url, _):
        assert asked(url, "write", {"picked": ["cat/old.png"]})[0] == 400
        assert asked(url, "write", {"picked": ["dog/new0.png", "cat/new0.png"]})[0] == 200
        assert contents(tmp_path / "best") == {name: (out / name).read_bytes() for name in ("cat/new0.png", "dog/new0.png")}
        assert (tmp_path / "best/cat/new0.png").samefile(out / "cat/new0.png")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# --- in a browser ---


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def names(tab: Any, selector: str = "button") -> list[str]:
    """The names of the pictures that are seen, in their order."""
    return list(tab.locator(f"#choices li:not([hidden]) {selector}").evaluate_all("all => all.map(one => one.dataset.name)"))


@pytest.mark.slow
def test_five_are_picked_and_written_in_a_browser(browser: Any, adapted: Path, tmp_path: Path) -> None:
    tab = browser.new_page(viewport={"width": 1000, "height": 800})
    faults = list[str]()
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda line: faults.append(line.text))
    with served(adapted, "-n", "12", "--variants", cwd=tmp_path) as (url, running):
        tab.goto(url)
        assert tab.locator("#write").is_disabled()
        for name in ("0", "4"):
            tab.locator(f"[data-name='{name}']").click()
        tab.keyboard.press("ArrowRight")
        tab.keyboard.press("Space")  # 5
        tab.keyboard.press("ArrowDown")
        below = tab.evaluate("document.activeElement.dataset.name")
        assert int(below) > 6
        tab.keyboard.press("Enter")
        tab.keyboard.press("End")
        tab.keyboard.press("Space")  # 11
        chosen = sorted({"0", "4", "5", below, "11"}, key=int)
        assert names(tab, "[aria-pressed=true]") == chosen
        assert tab.locator("#count").inner_text() == "5 picked"
        command = tab.locator("#command").input_value()
        tab.locator("#write").click()
        tab.get_by_text("wrote 5 images to picked").wait_for()
        words = shlex.split(command)
        assert words[words.index("--seeds") + 1] == ",".join(chosen)
        assert run(*words[1:-1], "same", cwd=tmp_path).code == 0
        assert contents(tmp_path / "picked") == contents(tmp_path / "same")
        assert len(contents(tmp_path / "same")) == 5
        tab.locator("#done").click()
        tab.get_by_text("metagan has ended").wait_for()
        assert running.process.wait(30) == 0
    assert not faults
    tab.close()


@pytest.mark.slow
def test_sorting_hiding_and_looking_in_a_browser(browser: Any, tmp_path: Path) -> None:
    rows = [
        {"image": f"{i}.png", "class": f"<{i % 2}>", "distance": d, "copy": d < 0.1} for i, d in enumerate((0.3, 0.05, 0.5, 0.01))
    ]
    out = results(tmp_path / "out", [row | {"example": "old.png"} for row in rows[:3]] + rows[3:])
    Image.new("L", (16, 12)).save(out / "old.png")
    viewed("out", cwd=tmp_path)
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    tab = context.new_page()
    tab.goto((tmp_path / "view.html").as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    tab.locator("#sort").select_option("distance")
    assert names(tab) == ["2.png", "0.png", "1.png", "3.png"]
    tab.locator("[data-name='1.png']").tap()
    assert tab.locator("#said").inner_text() == "1.png: 0.050 from old.png, a copy"
    assert tab.locator("#near").get_attribute("src") == tab.locator("#examples img").get_attribute("src")
    tab.locator("[data-name='3.png']").tap()
    assert tab.locator("#said").inner_text() == "3.png: 0.010 from the nearest example, a copy"
    assert tab.locator("#near").is_hidden()
    tab.locator("[data-name='0.png']").tap()
    tab.locator("#hide").check()
    assert names(tab) == ["2.png", "0.png"]
    assert tab.locator("#count").inner_text() == "3 picked, 2 of them hidden"
    assert tab.locator("#command").input_value() == "0.png\n1.png\n3.png"
    tab.locator("#hide").uncheck()
    tab.locator("#group").select_option(label="<1>")
    assert names(tab) == ["1.png", "3.png"]
    assert tab.locator("#seen").inner_text() == "2 of 4 shown"
    tab.locator("#clear").tap()
    assert tab.locator("#copy").is_disabled()
    assert all(box["height"] >= 40 for box in (one.bounding_box() for one in tab.locator("button:visible").all()))
    context.close()
