"""The manual's pages as a browser shows them."""

from __future__ import annotations

import re
from pathlib import Path

from addon.language import pages

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SOURCE = """# Things & *more*

One line
goes on, with `a|b *c*` and **bold**.

- first
  of two
- [second](other.md#place)

1. one
2. two

| a | b |
|---|---|
| `x` \\| y | *z* |

    indented <code>

```
fenced
```
<!-- table x -->
![A picture](images/one.png)
"""


def test_what_our_pages_use_of_markdown_is_shown() -> None:
    made = pages.to_html(SOURCE)
    for expected in (
        '<title>Things &amp; *more*</title>', '<h1 id="things--more">Things &amp; <i>more</i></h1>',
        "<p>One line goes on, with <code>a|b *c*</code> and <b>bold</b>.</p>",
        '<ul><li>first of two</li><li><a href="other.md#place">second</a></li></ul>',
        "<ol><li>one</li><li>two</li></ol>",
        "<tr><th>a</th><th>b</th></tr><tr><td><code>x</code> | y</td><td><i>z</i></td></tr>",
        "<pre>indented &lt;code&gt;</pre>", "<pre>fenced</pre>", '<img alt="A picture" src="images/one.png">',
    ):  # fmt: skip
        assert expected in made, expected
    assert "table x" not in made


def test_a_picture_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "from/images").mkdir(parents=True)
    (tmp_path / "from/page.md").write_text(SOURCE)
    pages.write_pages(tmp_path / "from", tmp_path / "to")
    assert "<i>A picture</i>" in (tmp_path / "to/page.html").read_text()
    (tmp_path / "from/images/one.png").touch()
    pages.write_pages(tmp_path / "from", tmp_path / "to")
    address = (tmp_path / "from/images/one.png").as_uri()
    made = (tmp_path / "to/page.html").read_text()
    assert f'<img alt="A picture" src="{address}">' in made and '<a href="other.html#place">' in made


def test_every_link_of_the_manual_leads_somewhere(tmp_path: Path) -> None:
    pages.write_pages(ROOT / "docs", tmp_path)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert len(made) > 20
    for name, text in made.items():
        for address in re.findall(r'(?:href|src)="([^"]+)"', text):
            file, _, place = address.partition("#")
            if file.startswith("file:"):
                assert Path(file.removeprefix("file://")).exists(), (name, address)
            elif not file.startswith("http"):
                assert (file or name) in made, (name, address)
                assert not place or f'id="{place}"' in made[file or name], (name, address)
