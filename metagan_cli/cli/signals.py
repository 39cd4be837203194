"""Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once."""

import signal
from types import FrameType, TracebackType

from metagan_cli.errors import ExitCode

CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


class Interrupts:
    """While open, notes the first signal in `received` instead of ending the program.

    A `patient` one heeds no second: torchrun passes on what may have come already, and itself ends what takes long.
    """

    def __init__(self, patient: bool = False) -> None:
        self.received: signal.Signals | None = None
        self.patient = patient

    def __enter__(self) -> "Interrupts":
        self._before = {number: signal.signal(number, self._handle) for number in CODES}
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = signal.Signals(number)
        elif not self.patient:
            raise SystemExit(int(CODES[signal.Signals(number)]))  # which takes away the file that is being written

    @property
    def exit_code(self) -> ExitCode:
        """The code to end with."""
        return ExitCode.OK if self.received is None else CODES[self.received]
