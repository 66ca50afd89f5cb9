"""The terms that the page explains where they first occur, on hover, focus or tap.

A term is a button that opens its definition, so that a keyboard and a screen reader reach it and
no script is needed.
"""

import re
from dataclasses import dataclass, field

from markupsafe import Markup, escape


@dataclass(frozen=True)
class Term:
    """A term of the field.

    Attributes:
        name: identifies its definition in the page.
        pattern: a regular expression of the words that it explains.
        definition: one or two sentences.
    """

    name: str
    pattern: str
    definition: str


TERMS = (
    Term(
        "plain",
        r"plain networks?",
        "A network whose layers follow one another without shortcuts.",
    ),
    Term(
        "residual",
        r"residual networks?",
        "The same network with shortcuts: each block of layers adds its result to its own input.",
    ),
    Term(
        "shortcut",
        r"shortcuts?",
        "A connection that carries a block's input past its layers and adds it to their result.",
    ),
    Term(
        "training-error",
        r"training errors?",
        "The share of training images that a network gets wrong; verdicts use the share after its"
        " last update.",
    ),
    Term(
        "clean",
        r"clean",
        "Measured in evaluation mode on the training images as they are, without random shifts and"
        " flips.",
    ),
    Term(
        "margin",
        r"margins?",
        "The smallest difference that counts as one. For a fair verdict, it is chosen before"
        " training.",
    ),
    Term(
        "bound",
        r"(?:lower |upper )?bounds?",
        "How small or large a difference may really be, given how much seeds differ: in 95 % of"
        " such experiments the true value lies on the stated side of it.",
    ),
    Term(
        "worst-case",
        r"worst case",
        "Of several differences, the one whose bound decides. Where seeds differ much, it need not"
        " be the one with the largest mean.",
    ),
    Term(
        "seed",
        r"seeds?",
        "The number that fixes every random choice of a run: first weights, order and changes of"
        " the images. Runs that differ in nothing else show what chance does.",
    ),
    Term(
        "point",
        r"points?",
        "Percentage points: from 1 % to 58 % are 57 points.",
    ),
    Term(
        "chance",
        r"(?:no )?better than chance|chance error|(?:as|at|to) chance",
        "The error of a network that has learned nothing: it always guesses the most frequent"
        " class. A network within 2 points of it counts as no better.",
    ),
)
_BY_NAME = {term.name: term for term in TERMS}
_ANY_TERM = re.compile(
    r"\b(?:"
    + "|".join(f"(?P<{term.name.replace('-', '_')}>{term.pattern})" for term in TERMS)
    + r")\b",
    re.IGNORECASE,
)


@dataclass
class Glossary:
    """Explains each term once in each part of a page, and remembers which it has explained."""

    used: dict[str, Term] = field(default_factory=dict)
    _explained: set[str] = field(default_factory=set)

    def begin_part(self) -> str:
        """Explain every term again from here on. Returns empty text, for use in a template."""
        self._explained.clear()
        return ""

    def explain(self, text: str) -> Markup:
        """Return a text as HTML: escaped, with a button for each term that is new in this part."""
        html = []
        end = 0
        for match in _ANY_TERM.finditer(text):
            name = str(match.lastgroup).replace("_", "-")
            if name in self._explained:
                continue
            self._explained.add(name)
            self.used[name] = _BY_NAME[name]
            html.append(escape(text[end : match.start()]))
            html.append(_write_button(name, match[0]))
            end = match.end()
        html.append(escape(text[end:]))
        return Markup("").join(html)


def _write_button(name: str, words: str) -> Markup:
    button = '<button type="button" class="term term-{0}" popovertarget="term-{0}">{1}</button>'
    return Markup(button).format(name, words)
