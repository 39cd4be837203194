"""What can go wrong for a user, and the exit code that each kind of failure ends with."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every metagan command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INPUT = 3
    CHECKPOINT = 4
    OUTPUT = 5
    DEVICE = 6
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


class MetaganError(Exception):
    """A failure that the user can understand and mend; its text is the one line they see."""

    code = ExitCode.FAILED


class UsageError(MetaganError):
    """An option or a configuration file asks for what cannot be."""

    code = ExitCode.USAGE


class InputError(MetaganError):
    """Images or task data that cannot be used."""

    code = ExitCode.INPUT


class CheckpointError(MetaganError):
    """A model file that is missing, damaged, foreign or of another version."""

    code = ExitCode.CHECKPOINT


class OutputError(MetaganError):
    """A result that cannot be written where it was asked for."""

    code = ExitCode.OUTPUT


class DeviceError(MetaganError):
    """A device or an amount of memory that is not there."""

    code = ExitCode.DEVICE


def reason(error: Exception) -> str:
    """What a library's error says, in one line of at most 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__
