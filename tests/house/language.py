"""Plain English: turns of phrase and names that the glossary (docs/glossary.md) replaced, and class names used twice."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.house.source_tree import parse

_GAP = "[ _-]"  # in prose, in names of Python, and in names of URLs and classes
_TURNS = (
    r"anew",
    rf"once{_GAP}more",
    rf"ask(?:s|ed|ing)?{_GAP}after",
    r"stumbl(?:e|es|ed)",
    rf"(?:is|are|was|were|been|being){_GAP}told",
    rf"told{_GAP}(?:apart|of)",
    r"(?:somebody|nobody|whoever|everybody)",
    rf"(?:goes|go|went|carry|carries|carried){_GAP}on(?!{_GAP}to\b)",
    rf"of{_GAP}(?:ours|theirs|(?:its|their|our){_GAP}own)",
    rf"stands{_GAP}(?:in|at|on|there|still)",
    rf"(?:takes|taken|took){_GAP}in(?!{_GAP}turn)",
    rf"(?<![\"'])(?:shut{_GAP}out|let{_GAP}in)(?!/)",  # in quotes they are stored values; URL paths stay
    rf"bec[oa]me{_GAP}of",
    rf"(?:came|comes|come){_GAP}of",
    r"\bwish(?:es|ed)?\b",  # a constraint keeps its name
    rf"look(?:s|ed|ing)?{_GAP}after",
    r"\bhasten(?:s|ed)?\b",  # a column keeps its name
    r"\beras?\b",
    rf"what{_GAP}waits",
    r"makes no sense",
)
# Whole words, also as parts of a name: `is_told_again`.
TURNS = re.compile(rf"(?<![a-z])(?:{'|'.join(_TURNS)})(?![a-z])", re.IGNORECASE)

# A bound says what it bounds: MAX_ROWS, CACHE_TTL, RETRY_AFTER.
VAGUE = re.compile(
    r"(?:^|_)(?:MOST|LONGEST|LARGEST|AGAIN|MANY|PATIENCE|LATER|BARREN|KEPT|FRESH|SOON|ENOUGH|AT_ONCE|LONG_AGO)(?:_|$)"
    r"|^_?(?:WINDOW|THINGS|FULL|FULLER|ENDS_OF)$"  # fine with a word that says of what: UNDO_WINDOW
)


def odd_turns(root: Path, files: Iterable[Path], quoting: frozenset[str] = frozenset()) -> list[str]:
    """Where one of TURNS occurs. Files in `quoting` may name them."""
    return [
        f"{path}:{number}: {match.group()!r}"
        for path in files
        if str(path) not in quoting
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1)
        for match in TURNS.finditer(line)
    ]


def vague_constants(root: Path, files: Iterable[Path]) -> list[str]:
    found = []
    for path in files:
        for node in parse(root, path).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            nodes = (each for target in targets if target for each in ast.walk(target))
            found += [
                f"{path}: {each.id}"
                for each in nodes
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store) and VAGUE.search(each.id)
            ]
    return found


def repeated_classes(root: Path, files: Iterable[Path]) -> list[str]:
    """Names of classes, also of nested ones, that more than one module of a package defines.

    Django prescribes `Command`, `Meta` and `Migration`.
    """
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in files:
        for node in ast.walk(parse(root, path)):
            if isinstance(node, ast.ClassDef) and node.name not in {"Command", "Meta", "Migration"}:
                places[path.parts[0], node.name].append(str(path))
    return [f"{name}: {', '.join(paths)}" for (_, name), paths in sorted(places.items()) if len(paths) > 1]
