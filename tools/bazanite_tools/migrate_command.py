"""``bazanite migrate DIR``: change the schema, or list the migrations that were made."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from bazanite import Migration
from bazanite.errors import DBError

from .grid import Grid
from .info_command import catalog_of
from .looking import add_directory_arguments, looking_at
from .opened import opened, usage, working
from .output import FINDINGS, FINE, CommandError, plural, print_json
from .python_text import migration_text
from .schema_steps import OPTIONS
from .type_text import SYNTAX

INTERMIXED = True
_LONGEST_NAME = 60


class _Step(argparse.Action):
    """Keeps the steps in the order in which the command line has them."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        value: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        namespace.steps = [*namespace.steps, (self.option_strings[0], value)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="?",
        help="a Python file, or module:NAME, with a list of migrations, MIGRATIONS",
    )
    parser.add_argument("--name", help="what the migration is to be called")
    group = parser.add_argument_group("steps, made in the order in which they are given")
    parser.set_defaults(steps=[])
    for option, (metavar, _, summary) in OPTIONS.items():
        group.add_argument(
            option, action=_Step, metavar=metavar, dest=f"step{option}", help=summary
        )
    parser.epilog = (
        "examples:\n"
        "  bazanite migrate data                         what was made so far\n"
        "  bazanite migrate data migrations.py           what its MIGRATIONS say\n"
        "  bazanite migrate data --add-column 'person.born:DATE null'\n"
        "  bazanite migrate data --add-column person.ok:BOOL=no --add-index person:ok\n\n"
        f"TYPE is one of {SYNTAX[0]},\n{SYNTAX[1]}; then null, unique or index, if it is to be.\n"
        "VALUE is for the rows that there are. T is a table, C a column.\n\n"
        "A migration gets the next number, and is printed as Python: a program that has a list\n"
        "of its own must have it in there, or is refused. Each step is made whole or not at all;\n"
        "where one is refused, those before it stay, and the same command goes on there."
    )


def run(args: argparse.Namespace) -> int:
    """List, or make what is to be made."""
    if args.steps and args.source is not None:
        raise CommandError("either SOURCE or steps, not both")
    if args.source is not None:
        return _from_source(args)
    return _from_steps(args) if args.steps else _list(args)


def _list(args: argparse.Namespace) -> int:
    with looking_at(args) as offline:
        catalog, complaint = catalog_of(offline)
        path = offline.path
    if complaint is not None:
        raise CommandError(complaint, FINDINGS)
    records = catalog.migrations if catalog is not None else ()
    if args.json:
        print_json({"directory": path, "migrations": [asdict(record) for record in records]})
    elif not records:
        print(f"{args.directory}: no migration was made")
    else:
        grid = Grid(sys.stdout, ["version", "name", "steps made"], [True, False, True])
        grid.print([str(r.version), r.name, str(r.done)] for r in records)
    return FINE


def _from_steps(args: argparse.Namespace) -> int:
    steps = [step for option, value in args.steps for step in OPTIONS[option][1](value)]
    name = args.name or _name(args.steps)
    with opened(args) as db:
        with db.storage.store.reading() as view:
            records = db.storage.catalog(view).migrations
        version = records[-1].version + 1 if records else 1
        if records and records[-1].name == name and records[-1].done < len(steps):
            version -= 1  # the same command was stopped amid its steps: it goes on there
        with usage():
            migration = Migration(version, name, steps)
        with working("migrating"):
            db.migrate([migration])
        path = db.storage.base_dir
    text = migration_text(version, name, steps)
    if args.json:
        record = asdict(migration.record)
        print_json({"directory": path, "made": [record], "python": text})
    else:
        print(f"made migration {version}, {plural(len(steps), 'step')}:\n{text}")
    return FINE


def _name(steps: Sequence[tuple[str, str]]) -> str:
    """What a migration of these steps is called: other steps have another name."""
    said = ", ".join(f"{option.removeprefix('--').replace('-', ' ')} {v}" for option, v in steps)
    if len(said) <= _LONGEST_NAME:
        return said
    digits = blake2b(said.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return f"{said[:_LONGEST_NAME]}... {digits}"


def _from_source(args: argparse.Namespace) -> int:
    migrations = _loaded(args.source)
    with opened(args) as db, working("migrating"):
        made = db.migrate(migrations)
        path = db.storage.base_dir
    records = [asdict(m.record) for m in migrations if m.version in made]
    if args.json:
        print_json({"directory": path, "made": records})
        return FINE
    for record in records:
        print(f"made migration {record['version']} ({record['name']})")
    if not made:
        print(f"{args.directory}: has seen all {plural(len(migrations), 'migration')} already")
    return FINE


def _loaded(source: str) -> list[Migration]:
    """The list in a file or a module; CommandError says what is wrong with that."""
    path, _, name = source.partition(":")
    name = name or "MIGRATIONS"
    if path.endswith(".py") and not Path(path).is_file():
        raise CommandError(f"{path}: no such file")
    folder = Path(path).resolve().parent if path.endswith(".py") else Path.cwd()
    sys.path.insert(0, str(folder))
    try:
        if path.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(path).stem, path)
            if spec is None or spec.loader is None:
                raise ImportError(path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(path)
        found: Any = getattr(module, name)
    except AttributeError as error:
        raise CommandError(f"{source}: has no {name}: {error}") from error
    except DBError as error:
        raise CommandError(f"{source}: {error.message}") from error
    except (Exception, SystemExit) as error:
        raise CommandError(f"{source}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    if not isinstance(found, (list, tuple)) or not all(isinstance(m, Migration) for m in found):
        raise CommandError(f"{source}: {name} is no list of migrations")
    return list(found)
