"""The metagan command: parse, run one command, end with its exit code. Nothing heavy is imported before it is needed."""

import errno
import gc
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from metagan_cli import __version__, cores
from metagan_cli.cli import adapt, augment, doctor, evaluate, font, inspect, meta_train, models, motifs, sample, view
from metagan_cli.cli.console import PANELS, error_line, is_for_a_person, silence
from metagan_cli.errors import ExitCode, MetaganError, UsageError

FIRST_LOOK = 20_000  # new objects until garbage is looked for: what is imported is none

COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "adapt": (adapt.adapt, adapt.EXAMPLE),
    "sample": (sample.sample, sample.EXAMPLE),
    "augment": (augment.augment, augment.EXAMPLE),
    "view": (view.view, view.EXAMPLE),
    "font": (font.font, font.EXAMPLE),
    "meta-train": (meta_train.meta_train, meta_train.EXAMPLE),
    "evaluate": (evaluate.evaluate, evaluate.EXAMPLE),
    "inspect": (inspect.inspect, inspect.EXAMPLE),
    "models": (models.models, models.EXAMPLE),
    "motifs": (motifs.motifs, motifs.EXAMPLE),
    "doctor": (doctor.doctor, doctor.EXAMPLE),
}


def main() -> NoReturn:
    """Run the `metagan` command and end the process with its exit code."""
    gc.set_threshold(FIRST_LOOK)
    cores.begin()
    try:
        _check_surroundings()
        code = application(is_for_a_person(sys.stdout, PANELS))(standalone_mode=False)
    except MetaganError as error:
        error_line(str(error))
        code = error.code
    except (KeyboardInterrupt, typer.Abort):
        error_line("interrupted")
        code = ExitCode.INTERRUPTED
    except Exception as error:
        code = _report(error)
    gc.freeze()  # else the interpreter looks through all that torch made, half a second, before it ends
    sys.exit(int(code or 0))


def application(panels: bool) -> typer.Typer:
    """All commands; a person at a terminal gets help in panels, a pipe plain lines."""
    app = typer.Typer(
        name="metagan",
        help="Few-shot image generation: a folder of a few images in, new ones out, in seconds, without a GPU.",
        no_args_is_help=True,
        rich_markup_mode="rich" if panels else None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    for name, (command, example) in COMMANDS.items():
        app.command(name, epilog=f"Example: {example}")(command)
    return app


def _version(asked: bool) -> None:
    if asked:
        print(f"metagan {__version__}")
        raise typer.Exit()


def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


def _check_surroundings() -> None:
    """Refuses empty arguments, as of a shell's unset variables, and a working folder that is gone, where torch cannot compute."""
    if "" in sys.argv[1:]:
        raise UsageError(f"nothing after {sys.argv[sys.argv.index('') - 1]}: an empty argument")
    try:
        Path.cwd()
    except OSError as error:
        raise UsageError(f"the working folder cannot be used ({error.strerror}); cd to one that exists") from error


def _report(error: Exception) -> ExitCode:
    """A mistake on the command line in one line; anything else is a bug, whose traceback is kept in a file."""
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # what Typer's parser raises
        message = error.format_message()
        error_line(f"{message or 'give a command'} (see metagan --help)")
        return ExitCode.USAGE
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error):
        error_line("out of memory; use fewer images or a smaller batch")
        return ExitCode.DEVICE
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        error_line(f"{error.filename or 'the output'}: {error.strerror}")
        silence(sys.stdout)
        return ExitCode.OUTPUT
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        error_line(f"{str(error.filename)[:200]}: {error.strerror}")
        return ExitCode.USAGE
    import tempfile

    trace = Path(tempfile.gettempdir()) / f"metagan-{int(time.time())}-{os.getpid()}.txt"
    try:
        trace.write_text("".join(traceback.format_exception(error)))
        kept = f"; the traceback is in {trace}"
    except OSError:
        kept = ""
    error_line(f"a bug in metagan: {type(error).__name__}: {error}{kept}")
    return ExitCode.BUG
