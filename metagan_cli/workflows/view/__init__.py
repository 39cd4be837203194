"""view: a page to look at samples and to pick from them, written or served."""
