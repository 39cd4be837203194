"""Imports go one way, and light commands stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from forkserver import COMMAND

PACKAGE = Path(__file__).resolve().parents[1] / "metagan_cli"

# each part, and the parts that it may import
MAY = {
    "errors": set(),
    "rng": set(),
    "config": {"errors"},
    "console": set(),
    "signals": {"errors"},
    "devices": {"errors"},
    "adversarial": set(),
    "state": set(),
    "resampling": set(),
    "palette": set(),
    "parts": set(),
    "pixelart": set(),
    "tint": set(),
    "ink": set(),
    "imprint": set(),
    "precision": set(),
    "energy": {"resampling", "ink", "precision"},
    "blemishes": {"resampling"},
    "networks": {"resampling", "config", "ink", "palette", "parts", "pixelart", "precision", "rng", "state", "tint"},
    "learners": {"adversarial", "resampling", "config", "energy", "networks", "rng", "state"},
    "sampling": {"evaluation", "networks", "rng", "state"},
    "outer": {"adversarial", "blemishes", "config", "data", "devices", "energy", "learners", "networks", "rng", "state"},
    "data": {"resampling", "config", "errors", "imprint", "pixelart", "rng"},
    "evaluation": {"networks", "rng"},
    "store": {"config", "errors", "evaluation", "imprint", "learners", "networks", "state"},
}
ANYTHING = {"workflows", "cli", "__main__", "__init__"}


def imports(path: Path) -> set[str]:
    """The parts of the package that a file imports anywhere."""
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
    if part in ANYTHING:
        assert "cli" not in imports(path) or part == "__main__"
    else:
        assert imports(path) - {part} <= MAY[part]


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [(["--help"], "torch"), (["adapt", "--help"], "torch"), (["sample", "nowhere.safetensors"], "torchvision")],
)
def test_what_a_command_does_not_import(arguments: list[str], absent: str) -> None:
    script = f"""
import sys
sys.argv = ["metagan", *{arguments!r}]
try:
    {COMMAND}
except SystemExit:
    pass
sys.exit({absent!r} in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0


def test_every_module_says_what_it_is_for() -> None:
    assert all(ast.get_docstring(ast.parse(p.read_text())) for p in PACKAGE.rglob("*.py") if p.read_text().strip())


def test_loading_a_model_imports_no_compiler(tiny_model: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from metagan_cli.store.models import load_model
load_model(Path({str(tiny_model)!r}))
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0
