"""metagan: few-shot image generation with meta-learned GANs.

    from metagan_cli import adapt
    model = adapt("my_samples/")
    model.sample(64)[0].save("new.png")

The functions are loaded when they are first used, so that `import metagan_cli` takes no time.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Model", "NewImages", "adapt", "augment", "augment_tree", "evaluate", "load", "sample"]

if TYPE_CHECKING:
    from metagan_cli.api import Model, NewImages, adapt, augment, augment_tree, evaluate, load, sample


def __getattr__(name: str) -> Any:
    """A public name, from the module that holds it."""
    if name not in __all__:
        raise AttributeError(f"module 'metagan_cli' has no attribute '{name}'")
    from metagan_cli import api

    return getattr(api, name)
