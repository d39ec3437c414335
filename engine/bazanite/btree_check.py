"""Looking for damage in an index: every node is read once, and whatever is wrong is told.

Pure over a view.  A node that is not what its parent says is told and not entered: what is below it
is then not known to be anybody's, so nodes that nobody names are told only if all were entered.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from bazanite_wal.errors import CorruptionError, DBError
from bazanite_wal.layer import View

from .btree_node import HEAD, ROOT
from .btree_space import NodeFile

Problem = tuple[int, str]
_Node = tuple[bytes, int, bytes, bytes]
"""Number, level and fences."""

_MOST_NODES = 1 << 28
"""A byte is kept of each; a file may be sparse, and cost its author nothing."""


def problems(nodes: NodeFile, view: View) -> Iterator[Problem]:
    """(number of the node, what is wrong) of everything that is; raises nothing and ends."""
    try:
        size = view.size(nodes.name)
    except (DBError, OSError) as error:
        yield 0, f"cannot be read: {error}"
        return
    count, rest = divmod(size, nodes.node_size)
    if rest:
        yield count, f"{rest} bytes more than whole nodes of {nodes.node_size}"
    if count > _MOST_NODES:
        yield 0, f"{count} nodes, more than any index has"
        return
    seen = bytearray(max(count, 2))
    seen[0] = seen[1] = 1
    whole = yield from _tree(nodes, view, seen)
    whole = (yield from _free(nodes, view, seen)) and whole
    if whole:
        number = seen.find(0)
        while number >= 0:
            yield number, "neither in the tree nor free"
            number = seen.find(0, number + 1)


def _tree(nodes: NodeFile, view: View, seen: bytearray) -> Generator[Problem, None, bool]:
    """The nodes below the root; whether all of them are known."""
    whole = True
    try:
        _, level = nodes.root(view)
    except (DBError, OSError) as error:
        yield _problem(ROOT, error)
        return False
    todo: list[_Node] = [(ROOT, level, nodes.lowest, nodes.highest)]
    while todo:
        node = todo.pop()
        try:
            below = _look(nodes, view, node)
        except (DBError, OSError) as error:
            yield _problem(node[0], error)
            whole = whole and not node[1]
            continue
        for child in reversed(below):
            problem = _claim(child[0], seen)
            if problem is None:
                todo.append(child)
            else:
                yield int(node[0]), problem
                whole = False
    return whole


def _look(nodes: NodeFile, view: View, node: _Node) -> list[_Node]:
    """The children of a node, of which everything else is right; CorruptionError if it is not."""
    number, level, low, high = node
    data = nodes.load(view, number, level, low, high)
    if level:
        fences, children = nodes.branches(data, number, low, high)
        if number == ROOT and len(children) == 1:
            raise nodes.damaged(number, nodes.header_size, "two nodes below the root", "one")
        behind = [*fences[1:], high]
        levels = [level - 1] * len(children)
        return list(zip(children, levels, fences, behind, strict=True))
    if not nodes.entries(data, number, low, high) and number != ROOT:
        raise nodes.damaged(number, nodes.header_size, "an entry at least", "none")
    return []


def _free(nodes: NodeFile, view: View, seen: bytearray) -> Generator[Problem, None, bool]:
    """The free nodes; whether all of them are known."""
    number = HEAD
    try:
        following = nodes.first_free(view)
        while following != HEAD:
            problem = _claim(following, seen)
            if problem is not None:
                yield int(number), problem
                return False
            number = following
            following = nodes.next_free(view, number)
    except (DBError, OSError) as error:
        yield _problem(number, error)
        return False
    return True


def _claim(number: bytes, seen: bytearray) -> str | None:
    """Mark a node as seen; what is wrong with naming it."""
    index = int(number)
    if index >= len(seen):
        return f"names node {index}, which is behind the end"
    if seen[index]:
        return f"names node {index}, which another one names"
    seen[index] = 1
    return None


def _problem(number: bytes, error: DBError | OSError) -> Problem:
    if isinstance(error, CorruptionError):
        text = f"damaged at offset {error.offset}: expected {error.expected}, found {error.found}"
        return int(number), text
    return int(number), f"cannot be read: {error}"
