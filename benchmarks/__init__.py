"""What is measured, by programs that write the tables and pictures of the docs."""
