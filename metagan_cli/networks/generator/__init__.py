"""The generator, a room for each thing that it does to an image."""
