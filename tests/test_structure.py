"""Imports go one way, and light commands stay light."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "metagan_cli"
LONGEST = 300  # lines of a module

# Imports go one way, from the first to the last: each part, and the parts that it may import beside itself. What any part may
# import are the leaves, single modules of the package's root.
LEAVES = {"config", "cores", "devices", "errors", "provenance", "ranks", "rng", "values"}
BELOW = {
    "images": set[str](),
    "objectives": {"images"},
    "networks": {"images"},
    "learners": {"networks", "objectives", "images"},
    "training": {"learners", "networks", "objectives", "images"},
    "sampling": {"networks", "objectives", "images"},
    "evaluation": {"networks", "objectives", "images"},
    "data": {"images"},
    "store": {"evaluation", "learners", "networks", "images"},
    "workflows": {"data", "store", "learners", "training", "sampling", "evaluation", "networks", "objectives", "images"},
    "cli": {"workflows", "sampling", "evaluation"},
    "api": {"workflows", "store"},
    "__init__": {"api"},
    "__main__": {"cli"},
}
OF_LEAVES = {"cores": set[str](), "errors": set[str](), "provenance": set[str](), "rng": set[str]()} | dict.fromkeys(
    ("config", "devices", "values"), {"errors"}
)
OF_LEAVES["devices"] = {"cores", "errors"}
OF_LEAVES["ranks"] = {"devices", "errors"}


def imports(path: Path) -> set[str]:
    """The parts of the package that a file imports anywhere, for types as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("metagan_cli"):
            names = [node.module] if node.module != "metagan_cli" else [f"metagan_cli.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("metagan_cli")]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name and "." in name}
    return found - {"__version__"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    may = OF_LEAVES[part] if part in LEAVES else BELOW[part] | LEAVES
    assert imports(path) - {part} <= may
    assert len(path.read_text().splitlines()) <= LONGEST


def test_every_part_has_its_place_in_the_order() -> None:
    found = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or any(path.glob("*.py"))}
    assert found - {"pretrained"} == BELOW.keys() | LEAVES
    order = list(BELOW)
    assert all(order.index(other) < order.index(part) for part, others in BELOW.items() for other in others)


def test_no_learner_is_asked_what_it_is() -> None:
    for path in PACKAGE.rglob("*.py"):
        asked = [
            n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call) and ast.unparse(n.func) == "isinstance"
        ]
        assert not [
            call for call in asked if ast.unparse(call.args[1]).endswith("Learner") and ast.unparse(call.args[1]) != "Learner"
        ], path


def test_forward_of_the_generator_holds_no_tuned_number() -> None:
    tree = ast.parse((PACKAGE / "networks" / "generator" / "model.py").read_text())
    (forward,) = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "forward"]
    numbers = {n.value for n in ast.walk(forward) if isinstance(n, ast.Constant) and isinstance(n.value, int | float)}
    assert numbers <= {0, 1, 2}  # dimensions and places


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], "torch"),
        (["adapt", "--help"], "torch"),
        (["meta-train", "--help"], "torch"),
        (["sample", "nowhere.safetensors"], "torchvision"),
        (["sample", "nowhere.safetensors"], "matplotlib"),
        (["sample", "nowhere.safetensors"], "torchmetrics"),
        (["sample", "--help"], "torch"),
        (["motifs", "cat"], "torch"),
        (["font", "--help"], "torch"),
        (["view", "--help"], "torch"),
        (["view", "nowhere.safetensors"], "jinja2"),
        (["adapt", "nowhere"], "fontTools"),
        (["sample", "nowhere.safetensors", "--each", "nowhere", "--format", "svg"], "vtracer"),
        (["evaluate", "nowhere.safetensors"], "matplotlib"),
        (["evaluate", "nowhere.safetensors"], "torchmetrics"),
    ],
)
def test_what_a_command_does_not_import(arguments: list[str], absent: str) -> None:
    script = f"""
import sys
sys.argv = ["metagan", *{arguments!r}]
try:
    from metagan_cli.cli.main import main
    main()
except SystemExit:
    pass
sys.exit({absent!r} in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0


def test_every_module_says_what_it_is_for() -> None:
    assert all(ast.get_docstring(ast.parse(p.read_text())) for p in PACKAGE.rglob("*.py") if p.read_text().strip())


def test_git_ignores_nothing_that_a_wheel_needs() -> None:
    if shutil.which("git") is None or not (PACKAGE.parent / ".git").exists():
        pytest.skip("not a checkout")
    others = "\n".join(str(path) for path in PACKAGE.rglob("*") if path.suffix in (".html", ".css", ".js", ".typed"))
    ask = ["git", "check-ignore", "--no-index", "--stdin"]  # what it ignores, hatchling leaves out, even where it is tracked
    assert subprocess.run(ask, cwd=PACKAGE, input=others, capture_output=True, text=True).stdout == ""


def test_loading_a_model_imports_no_compiler(tiny_model: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from metagan_cli.store.models import load_model
load_model(Path({str(tiny_model)!r}))
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0
