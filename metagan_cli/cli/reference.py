"""The reference of all commands as Markdown, made from their help."""

from typing import Any

from typer.main import get_command

from metagan_cli.cli.main import COMMANDS, application

WIDTH = 110  # columns
HEAD = """# Commands

What `metagan COMMAND --help` says, made by `make reference`. `metagan --install-completion` teaches a shell commands and options.
"""


def markdown() -> str:
    """The whole page."""
    group: Any = get_command(application(panels=False))
    parts = [HEAD]
    for name in COMMANDS:
        command = group.commands[name]
        context = command.context_class(command, info_name=f"metagan {name}", terminal_width=WIDTH, max_content_width=WIDTH)
        parts.append(f"\n## {name}\n\n```text\n{command.get_help(context).strip()}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    print(markdown(), end="")
