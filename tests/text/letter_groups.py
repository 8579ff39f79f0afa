"""Make `harness/text/letter_groups.txt`, and the texts that it is tested on, from the Universal Declaration.

    python tests/text/letter_groups.py UDHR.json

The file holds the Declaration's articles by locale, each a list of paragraphs. Every fifth article is held out.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from harness.text import identify
from harness.text.locales import LOCALES
from harness.text.normalise import normalised

MOST = 800
TABLE = Path(identify.__file__).with_name("letter_groups.txt")
HELD_OUT = Path(__file__).parents[1] / "golden" / "declaration_held_out.json"
HEAD = """\
# Letter groups of languages that share a script, from the Universal Declaration of Human Rights (United Nations, 1948;
# free to reproduce), every fifth article left out: language, number of all groups, then the commonest {most} groups with
# their counts. `_` is a word's edge. Made by tests/text/letter_groups.py.
"""


def main() -> None:
    """Write both files."""
    articles = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    scripts = Counter({locale.script: 0 for locale in LOCALES.values()})
    languages = {}
    for code in articles:
        languages.setdefault(code.partition("-")[0], code)
    scripts.update(LOCALES[code].script for code in languages.values())
    lines, held_out = [], {}
    for language, code in sorted(languages.items()):
        if scripts[LOCALES[code].script] < 2:
            continue
        groups = Counter()
        held_out[language] = []
        for number, paragraphs in enumerate(articles[code]):
            normal = [normalised(paragraph, code, "norm-1") for paragraph in paragraphs]
            if number % 5 == 0:
                held_out[language] += normal
            else:
                for text in normal:
                    groups.update(identify.letter_groups(text))
        cells = " ".join(f"{group} {count}" for group, count in groups.most_common(MOST))
        lines.append(f"{language} {groups.total()} {cells}\n")
    TABLE.write_text(HEAD.format(most=MOST) + "".join(lines), encoding="utf-8")
    HELD_OUT.write_text(json.dumps(held_out, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
