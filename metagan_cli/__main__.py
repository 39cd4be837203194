"""python -m metagan_cli."""

from metagan_cli.cli.main import main

main()
