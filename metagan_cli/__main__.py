"""python -m metagan_cli"""

from metagan_cli.cli import main

main()
