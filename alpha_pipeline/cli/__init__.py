"""The command line: `alpha-pipeline COMMAND`.

Exit codes: 0 done, 1 rejected expression, 2 bad input or usage, 130 interrupted with work kept. With `--json` the last
line of stdout is one JSON object; everything for people goes to stderr then.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from alpha_pipeline import __version__
from alpha_pipeline.cli.commands import command
from alpha_pipeline.errors import AlphaPipelineError

BAD, INTERRUPTED = 2, 130  # all four codes: see `display`
CLOSED_PIPE = 141  # what the shell shows for a program that SIGPIPE ended
ABORTED = "aborted; what was committed before is kept\n"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line on stderr, exit 2."""
        self.exit(BAD, f"error: {message}; see `{self.prog} --help`\n")


def build_parser() -> argparse.ArgumentParser:
    """All commands and options."""
    parser = _Parser(prog="alpha-pipeline", description="Mines formulaic stock alphas and hands over those worth it.")
    parser.add_argument("--version", action="version", version=f"alpha-pipeline {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=summary)
        made.add_argument("--home", help="folder of all state (default: $ALPHA_HOME or .alpha)")
        made.add_argument("--json", action="store_true", help="print one JSON object as the last line of stdout")
        return made

    def source(made: argparse.ArgumentParser) -> None:
        made.add_argument("--source", choices=["synthetic", "files", "yahoo"], help="where prices come from")
        made.add_argument("--path", help="files: file or folder; yahoo: tickers, or a file of them")
        made.add_argument("--groups", help="CSV or Parquet with symbol and sector, industry, subindustry")
        made.add_argument("--events", help="CSV or Parquet with symbol, date, field and value: vector fields")
        made.add_argument("--universe", help="TOPn by traded value (default TOP3000)")
        made.add_argument("--memory", help="budget for buffers and caches, e.g. 2GiB")

    def profile(made: argparse.ArgumentParser) -> None:
        made.add_argument("--profile", help="operators to allow: user, consultant, legacy101 or all (default all)")

    def program(made: argparse.ArgumentParser, or_file: bool) -> None:
        nargs = "?" if or_file else None
        made.add_argument("expression", type=str.strip, nargs=nargs, help="Fast Expression program")
        profile(made)
        if or_file:
            made.add_argument("--file", help="text file with one program a line")

    mine = add("mine", "Run the whole pipeline for a new generation run.")
    source(mine)
    mine.add_argument("--generator", help="random, genetic, reinforce, ppo, or auto: all of them (default genetic)")
    mine.add_argument("--candidates", type=int, help="distinct expressions to propose (default 500)")
    mine.add_argument("--seed", type=int, help="makes the run repeatable; by default each run has its own")
    mine.add_argument("--critic", action="store_true", default=None, help="sift proposals before they are evaluated")
    mine.add_argument("--resume", metavar="RUN", help="go on with a run that was interrupted, e.g. run-0003")
    mine.add_argument("--from", dest="start_from", metavar="RUN", help="go on from what the learners of a run learned")
    mine.add_argument("--workers", type=int, help="processes to spread expressions over (default 1)")
    mine.add_argument("--device", help="where signals are computed: cpu (default) or cuda")
    mine.add_argument("--store", help="values kept for other runs: none (default), disk:FOLDER, redis://HOST:PORT/0")

    source(add("ingest", "Read prices, clean them, build the panel and make it the current one."))

    for name, summary in (
        ("evaluate", "Simulate one expression and print its figures."),
        ("validate", "Put expressions through all eight stages; exit 1 if one is rejected."),
    ):
        made = add(name, summary)
        program(made, or_file=name == "validate")
        made.add_argument("--panel", help="panel version (default: the current one)")
        if name == "evaluate":
            made.add_argument("--window", default="search", help="search (default), gate or full")

    listing = add("operators", "List the operators of the language, or print the page of one.")
    listing.add_argument("name", nargs="?", help="an operator")
    profile(listing)
    for name, summary in (
        ("check", "Parse and type-check programs without evaluating them; exit 1 if one does not pass."),
        ("explain", "Print the tree of an expression with type, unit and lookback at each node."),
    ):
        made = add(name, summary)
        program(made, or_file=name == "check")
        made.add_argument("--fields", help="CSV or JSON catalogue of further fields: id, type, unit, dataset")
        if name == "explain":
            made.add_argument(
                "--behaviour", action="store_true", help="add a hash that is equal for expressions that rank alike"
            )

    export = add("export", "Write the accepted alphas to a file.")
    export.add_argument("--format", choices=["json", "csv"], default="json")
    export.add_argument("--out", help="folder to write to (default: <home>/exports)")
    export.add_argument("--panel", help="panel version whose market is meant (default: the current one)")

    universe = add("universe", "Show the universe of the panel, month by month.")
    universe.add_argument("--panel", help="panel version (default: the current one)")

    warmup = add("warmup", "Compile for this machine, once, what evaluating expressions needs.")
    warmup.add_argument("--searched", action="store_true", help="only what mining draws, in about half the time")

    race = add("race", "Run generators against each other on simulated markets whose alphas are known.")
    race.add_argument("--markets", type=int, help="simulated markets; arms are compared pair by pair (default 10)")
    race.add_argument("--evaluations", type=int, help="budget of each arm on each market (default 10000)")
    race.add_argument("--cpu-seconds", type=float, help="budget in CPU time instead, training included")
    race.add_argument("--seed", type=int, help="family of the markets' seeds (default 1)")
    race.add_argument("--arms", help="generators, hill, matched, matched_ARM … (default: all but ablations)")
    race.add_argument("--plants", help="JSON file; a built-in list: tuning (default) or report; drawn: by the seed")
    race.add_argument("--null", action="store_true", help="markets without plants: whatever is accepted is false")
    race.add_argument("--instruments", type=int, help="of a market (default 200)")
    race.add_argument("--days", type=int, help="of a market (default 1500)")
    race.add_argument("--workers", type=int, help="processes (default: as many as there are processors)")
    race.add_argument("--out", help="folder for race.json, race.html and plots (default: <home>/races/<name>)")

    ui = add("ui", "Start Dagster's UI and daemon on this home.")
    ui.add_argument("--host", default="127.0.0.1")
    ui.add_argument("--port", type=int, default=3000)
    return parser


def _expression_or_option(argument: str) -> str:
    """`-ts_delta(close,5)` is an expression; argparse takes what has a blank for no option. Ours are `-h` and `--…`."""
    negative = argument.startswith("-") and not argument.startswith("--") and argument not in ("-", "-h")
    return f" {argument}" if negative else argument


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    options = build_parser().parse_args([_expression_or_option(argument) for argument in given])
    try:
        return command(options.command)(options)
    except AlphaPipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        for line in error.picture().splitlines():
            sys.stderr.write(f"  {line}\n")
        return BAD
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        sys.stderr.write(ABORTED)
        return INTERRUPTED
