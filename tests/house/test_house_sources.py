"""Facts about VideoGen are cited by an anchor of docs/api-notes.md that exists, and links between documents work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.source_tree import ROOT

NOTES = "docs/api-notes.md"
# Generated folders, which are not part of the source.
SKIPPED = {
    ".git",
    ".venv",
    ".uv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "data",
    "test-results",
}
SUFFIXES = {".py", ".md", ".html", ".css", ".js", ".yaml", ".yml", ".toml"}
CITED = re.compile(re.escape(NOTES) + r"(?:#([\w-]*))?")
# A document that citations used to name; it was never in this repository.
RETIRED = re.compile("CONTRACT" + r"(?:\.md|,? (?:section|heading))")
HEADING = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)
EXPLICIT = re.compile(r'<a id="([^"]+)">')
CODE = re.compile(r"^```.*?^```|^    .*?$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """Explicit anchors, and those that GitHub generates from headings."""
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}
    return slugs | set(EXPLICIT.findall(text))


def tracked(root: Path) -> list[Path]:
    """The text files of the repository, relative to `root`."""
    top = [path for path in sorted(root.iterdir()) if path.name not in SKIPPED]
    files = [each for path in top for each in (path.rglob("*") if path.is_dir() else [path])]
    return sorted(path.relative_to(root) for path in files if _is_text(path) and path.is_file())


def _is_text(path: Path) -> bool:
    """By its name. A file without a suffix is a script or a makefile; names with a leading dot are settings or caches."""
    return path.suffix in SUFFIXES or (not path.suffix and not path.name.startswith("."))


def wrong_citations(root: Path, files: list[Path]) -> list[str]:
    existing = anchors((root / NOTES).read_text(encoding="utf-8"))
    problems = []
    for path in files:
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1):
            if RETIRED.search(line):
                problems.append(f"{path}:{number} cites a document that does not exist")
            problems += [
                f"{path}:{number} cites #{anchor}, which {NOTES} lacks"
                for anchor in CITED.findall(line)
                if anchor and anchor not in existing
            ]
    return problems


def broken_links(root: Path, files: list[Path]) -> list[str]:
    """Relative links of Markdown files to files or anchors that do not exist."""
    problems = []
    for path in files:
        if path.suffix != ".md":
            continue
        text = CODE.sub("", (root / path).read_text(encoding="utf-8"))
        for link in LINK.findall(text):
            if link.startswith(("http://", "https://", "../../")):
                continue
            name, _, anchor = link.partition("#")
            target = (root / path).parent / name if name else root / path
            if not target.exists():
                problems.append(f"{path} links to {link}, which does not exist")
            elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
                problems.append(f"{path} links to {link}: there is no such anchor")
    return problems


def test_scripts_and_makefiles_are_read(tmp_path: Path) -> None:
    assert {Path("Makefile"), Path(".ci/run"), Path("scripts/check")} <= set(tracked(ROOT))

    for name in (
        "Makefile",
        "scripts/planted",
        ".ci/run",
        "a.py",
        "a.pyc",
        ".coverage",
        "data/sealed",
        ".venv/x.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text\n")
    assert [path.as_posix() for path in tracked(tmp_path)] == [
        ".ci/run",
        "Makefile",
        "a.py",
        "scripts/planted",
    ]


def test_every_citation_names_an_anchor_that_exists() -> None:
    files = tracked(ROOT)
    cited = [path for path in files if NOTES in (ROOT / path).read_text(encoding="utf-8")]
    assert len(cited) > 30, "too few citations were found"
    assert wrong_citations(ROOT, files) == []


def test_every_link_between_documents_works() -> None:
    assert broken_links(ROOT, tracked(ROOT)) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"# Source: {NOTES}#nowhere", "code.py:1 cites #nowhere, which docs/api-notes.md lacks"),
        ("# (CONTRACT" + " section 4)", "code.py:1 cites a document that does not exist"),
        ("# see CONTRACT" + ".md", "code.py:1 cites a document that does not exist"),
        (f"# Source: {NOTES}#signed-urls", ""),
        (f"# Source: {NOTES}#by-hand", ""),
        (f"# Source: {NOTES}", ""),
        ("CONTRACT" + "OR = 4", ""),
    ],
)
def test_a_planted_citation_is_checked(tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / NOTES).write_text('# Notes\n\n## Signed URLs\n\n<a id="by-hand"></a>\n')
    (tmp_path / "code.py").write_text(line)

    assert wrong_citations(tmp_path, [Path("code.py")]) == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("other.md", False),
        ("other.md#a-heading", False),
        ("other.md#another", True),
        ("gone.md", True),
        ("#here", False),
        ("#there", True),
        ("https://example.org/x", False),
    ],
)
def test_a_planted_link_is_checked(tmp_path: Path, link: str, broken: bool) -> None:
    (tmp_path / "other.md").write_text("## A heading\n")
    (tmp_path / "page.md").write_text(f"# Here\n\n[text]({link}) and `[code](gone.md)`\n")

    assert bool(broken_links(tmp_path, [Path("page.md")])) is broken
