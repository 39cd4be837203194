"""All that the program must survive, by number."""

from faults import checkpoints, images, machine, options
from faults.case import Row

ROWS: tuple[Row, ...] = (*images.ROWS, *checkpoints.ROWS, *options.ROWS, *machine.ROWS)
