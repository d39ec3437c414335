"""`bazanite merge`: one verdict for the parts of a campaign that was spread over machines."""

from __future__ import annotations

import argparse

from bazanite_stress.explore.merge import MergeError, merge_documents, merged_table

from .explore_command import read_documents
from .output import FINDINGS, FINE, USAGE, CommandError, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `bazanite merge`."""
    parser.description = (
        "Add up what `bazanite explore --shard I/N --json` printed for each part. Exit status: "
        "0 every part is there and survived, 1 not, 2 these are no parts of one campaign."
    )
    parser.epilog = "example: bazanite merge part-1.json part-2.json"
    parser.add_argument("files", nargs="+", metavar="FILE", help="documents of the parts")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")


def run(args: argparse.Namespace) -> int:
    """Merge, print; the exit status."""
    try:
        document = merge_documents(read_documents(args.files))
    except MergeError as error:
        raise CommandError(str(error), USAGE) from error
    if args.json:
        print_json(document)
    else:
        print(merged_table(document))
    return FINE if document["verdict"] == "survived" else FINDINGS
