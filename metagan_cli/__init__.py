"""metagan: few-shot image generation with meta-learned GANs."""

__version__ = "0.1.0"
