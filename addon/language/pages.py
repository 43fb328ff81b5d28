"""The manual's pages as a browser shows them: HTML of the Markdown that they are written in, as far as they use it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

STYLE = """
body { max-width: 62em; margin: 2em auto; padding: 0 1em; font: 16px/1.5 sans-serif; color: #222; background: #fff }
img { max-width: 100% } table { border-collapse: collapse } td, th { border: 1px solid #ccc; padding: .3em .6em }
th, td { text-align: left; vertical-align: top } code, pre { background: #f3f3f3 } pre { padding: .8em; overflow: auto }
"""
HEADING = re.compile(r"(#+) (.*)")
ITEM = re.compile(r"(-|\d+\.) (.*)")
RULE = re.compile(r"\|[-:| ]+\|")  # between the head of a table and its rows
CODE = re.compile(r"(`+)(.+?)\1")
SPANS = (
    (re.compile(r"!\[([^]]*)\]\(([^)]+)\)"), r'<img alt="\1" src="\2">'),
    (re.compile(r"\[([^]]*)\]\(([^)]+)\)"), r'<a href="\2">\1</a>'),
    (re.compile(r"\*\*(\S(?:.*?\S)?)\*\*"), r"<b>\1</b>"),
    (re.compile(r"\*(\S(?:.*?\S)?)\*"), r"<i>\1</i>"),
)
PICTURE = re.compile(r'<img alt="([^"]*)" src="([^"]*)">')  # a page that few artists read comes without its pictures
LINK = re.compile(r'(href|src)="([^":#]+)(#[^"]*)?"')  # to another file, not on the web


def write_pages(source: Path, target: Path) -> None:
    """Write each page of a folder into another one; links lead from page to page, and to the files of the first."""
    target.mkdir(parents=True, exist_ok=True)
    for page in source.glob("*.md"):
        text = to_html(page.read_text(encoding="utf-8"))
        text = PICTURE.sub(lambda shown: shown[0] if (source / shown[2]).is_file() else f"<i>{shown[1]}</i>", text)
        found = LINK.sub(lambda link: _led(link, source), text)
        (target / f"{page.stem}.html").write_text(found, encoding="utf-8")


def _led(link: re.Match[str], source: Path) -> str:
    kind, file, place = link[1], html.unescape(link[2]), link[3] or ""
    if file.endswith(".md") and "/" not in file:
        return f'{kind}="{file[:-3]}.html{place}"'
    return f'{kind}="{(source / file).resolve().as_uri()}{place}"'


def to_html(text: str) -> str:
    """Return a page of Markdown as one of HTML."""
    lines = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL).splitlines()
    title = next((found[2] for line in lines if (found := HEADING.fullmatch(line))), "Maquette")
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{STYLE}</style>'
    return f"<!doctype html><html><head>{head}</head><body>\n{chr(10).join(_blocks(lines))}\n</body></html>\n"


def slug(heading: str) -> str:
    """Return what a link to a heading says behind its #."""
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def _blocks(lines: list[str]) -> Iterator[str]:
    """Yield headings, tables, lists, code and paragraphs."""
    place = 0
    while place < len(lines):
        line, start = lines[place], place
        place += 1
        if found := HEADING.fullmatch(line):
            level = len(found[1])
            yield f'<h{level} id="{slug(found[2])}">{_spans(found[2])}</h{level}>'
        elif line.startswith("```"):
            place = next((n for n in range(place, len(lines)) if lines[n].startswith("```")), len(lines)) + 1
            yield _code(lines[start + 1 : place - 1])
        elif line.startswith("    "):
            while place < len(lines) and (lines[place].startswith("    ") or not lines[place].strip()):
                place += 1
            yield _code([each[4:] for each in lines[start:place]])
        elif line.startswith("|"):
            while place < len(lines) and lines[place].startswith("|"):
                place += 1
            yield _table(lines[start:place])
        elif ITEM.match(line):
            while place < len(lines) and (lines[place].startswith("  ") or ITEM.match(lines[place])):
                place += 1
            yield _list(lines[start:place])
        elif line.strip():
            while place < len(lines) and lines[place].strip() and not _begins_a_block(lines[place]):
                place += 1
            yield f"<p>{_spans(' '.join(lines[start:place]))}</p>"


def _begins_a_block(line: str) -> bool:
    return line.startswith(("|", "```")) or bool(HEADING.fullmatch(line) or ITEM.match(line))


def _code(lines: list[str]) -> str:
    return f"<pre>{html.escape(chr(10).join(lines).rstrip())}</pre>"


def _list(lines: list[str]) -> str:
    """Return a list; what is indented belongs to the item before it."""
    kind, items = "ol" if lines[0][0].isdigit() else "ul", []
    for line in lines:
        if found := ITEM.match(line):
            items.append(found[2])
        else:
            items[-1] += f" {line.strip()}"
    return f"<{kind}>{''.join(f'<li>{_spans(item)}</li>' for item in items)}</{kind}>"


def _table(lines: list[str]) -> str:
    rows = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines if not RULE.fullmatch(line.strip())]
    made = []
    for number, row in enumerate(rows):
        kind = "td" if number else "th"
        cells = (_spans(cell.strip().replace(r"\|", "|")) for cell in row)
        made.append(f"<tr>{''.join(f'<{kind}>{cell}</{kind}>' for cell in cells)}</tr>")
    return f"<table>{''.join(made)}</table>"


def _spans(text: str) -> str:
    """Return a line with its pictures, links and emphasis; in code nothing means anything."""
    kept: list[str] = []

    def keep(code: re.Match[str]) -> str:
        kept.append(f"<code>{html.escape(code[2].strip())}</code>")
        return f"\0{len(kept) - 1}\0"

    text = html.escape(CODE.sub(keep, text), quote=True)
    for pattern, replacement in SPANS:
        text = pattern.sub(replacement, text)
    return re.sub("\0(\\d+)\0", lambda number: kept[int(number[1])], text)
