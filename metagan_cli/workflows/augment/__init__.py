"""augment: a tree of class folders in, the same tree with new images out, and their labels with them."""
