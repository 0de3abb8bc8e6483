"""How far the run of a scene is, one line a stage: what waits, runs (how long, of about how long), is done, or failed.

Reads   results/NAME   while a run works, after it ended, and after it was killed
Writes  results/NAME/status.json   the same for other programs
"""

import argparse
import sys
from pathlib import Path

from pipeline.cli import run_server
from pipeline.runtime.errors import StageError
from pipeline.runtime.run_status import write_status
from pipeline.runtime.status_words import status_lines


def show_status(results: list[Path]) -> None:
    """Print the state of every stage of these scenes."""
    for folder in results:
        if not folder.is_dir():
            raise StageError(f"{folder} is not a folder; name the results of a scene, as results/demo")
        print(*status_lines(write_status(folder)), sep="\n", file=sys.stdout)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.show_status", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULTS", help="results/NAME of a scene, or several")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    run_server(show_status, vars(parse(arguments)))


if __name__ == "__main__":
    main()
