"""What is true of pictures, without a network."""
