"""Every relative link in the project's Markdown leads to a file, and its anchor to a heading."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]

FOLDERS = (".github", "benchmarks", "deploy", "docs", "edge", "models_tflite", "systemd", "tests")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("training/*.md"),
        *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md")),
    ]
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HOUSE_WORDS = re.compile(r"\b(doors?|mends?|obeys?|strangers?|complains?)\b", re.IGNORECASE)
USER_TEXTS = [
    *PAGES,
    *(
        path
        for folder in ("deploy", "systemd", "docs/subscribers")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ),
]
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """What the page links to within the project."""
    found = LINK.findall(CODE.sub("", page.read_text()))
    return [link for link in found if not re.match(r"[a-z]+:", link)]


def anchors(page: Path) -> set[str]:
    """The headings as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_resolve(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link}: no such file"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: no such heading"


def test_every_page_of_docs_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert [p.name for p in (ROOT / "docs").rglob("*.md") if p not in {index, *listed}] == []


def test_user_texts_have_standard_terms_for_the_old_ones() -> None:
    glossary = ROOT / "docs" / "architecture.md"
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in USER_TEXTS
        for match in HOUSE_WORDS.finditer(path.read_text())
        if path != glossary
    ]
    assert found == []


@pytest.mark.parametrize(
    "command",
    [
        *("run", "watch", "record", "classify", "doctor", "keys"),
        *("session", "export", "summary", "lsl"),
    ],
)
def test_the_commands_page_has_every_option(command: str) -> None:
    process = [sys.executable, "-m", "edge", command, "--help"]
    shown = subprocess.run(process, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    page = (ROOT / "docs" / "commands.md").read_text()
    assert f"`emotion-edge {command}" in page
    assert [option for option in set(re.findall(r"--[a-z-]+", shown)) if option not in page] == []


SIGN_MM = 210.0
LETTER_EM = {"normal": 0.53, "bold": 0.62}
"""Mean width of a line's letters in a wide typeface (DejaVu Sans), which a browser takes where
there is neither Helvetica nor Arial."""


@pytest.mark.parametrize(
    "sign", sorted((ROOT / "docs" / "sign").glob("*.svg")), ids=lambda p: p.name
)
def test_the_lines_of_a_sign_stay_in_its_frame_whatever_the_typeface(sign: Path) -> None:
    for line in ElementTree.parse(sign).iter("{http://www.w3.org/2000/svg}text"):
        words, x, size = line.text or "", float(line.get("x", 0)), float(line.get("font-size", 0))
        width = len(words) * size * LETTER_EM[line.get("font-weight", "normal")]
        left = x - width / 2 if line.get("text-anchor") == "middle" else x
        assert left >= 11 and left + width <= SIGN_MM - 11, words
