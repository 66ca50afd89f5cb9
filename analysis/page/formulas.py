"""Formulas in the texts of a report, which the page shows as MathML.

A text has a formula between backticks, such as `dE/dx_l = dE/dx_(l+1) * (1 + dF/dx_l)`, so that it
can be read in a terminal too. Between backticks, what is not a formula is shown as code.
"""

import re

from markupsafe import Markup, escape

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z]+)|(?P<number>\d+(?:\.\d+)?)|(?P<sign>[-+*/=<>()_^',]))"
)
_OPERATORS = {"*": "&#8290;", "-": "&#8722;", "<": "&lt;", ">": "&gt;"}
_WORDS = {"sum": "<mo>∑</mo>", "of": ""}
_BETWEEN_BACKTICKS = re.compile(r"`([^`]+)`")


class NotAFormula(Exception):
    """The text between backticks does not have the form of a formula."""


def typeset(text: str) -> Markup:
    """Return a text as HTML: escaped, with its formulas as MathML."""
    parts = _BETWEEN_BACKTICKS.split(text)
    html = [
        escape(part) if index % 2 == 0 else write_math(part) for index, part in enumerate(parts)
    ]
    return Markup("").join(html)


def remove_backticks(text: str) -> str:
    """Return a text as plain text, for places that show no formulas."""
    return text.replace("`", "")


def write_math(formula: str) -> Markup:
    """Return a formula as a MathML element, or as code if it is not a formula."""
    try:
        body = _Parser(formula).parse()
    except NotAFormula:
        return Markup("<code>{}</code>").format(formula)
    return Markup('<math alttext="{}">{}</math>').format(formula, Markup(body))


class _Parser:
    """A recursive-descent parser: a formula is terms, a term is factors, a factor has scripts."""

    def __init__(self, formula: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        stripped = formula.strip()
        while position < len(stripped):
            match = _TOKEN.match(stripped, position)
            if match is None or match.lastgroup is None:
                raise NotAFormula(formula)
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        self._position = 0

    def parse(self) -> str:
        """Return the formula as the content of a `math` element."""
        body = self._read_terms()
        if not body or self._position < len(self._tokens):
            raise NotAFormula
        return body

    def _peek(self) -> str:
        is_at_end = self._position == len(self._tokens)
        return "" if is_at_end else self._tokens[self._position][1]

    def _next(self) -> tuple[str, str]:
        if self._position == len(self._tokens):
            raise NotAFormula
        token = self._tokens[self._position]
        self._position += 1
        return token

    def _read_terms(self) -> str:
        """Read terms with the operators between them, up to a closing parenthesis or the end."""
        parts = []
        while self._peek() not in ("", ")"):
            if self._peek() in "+-*=<>,":
                sign = self._next()[1]
                parts.append(f"<mo>{_OPERATORS.get(sign, sign)}</mo>")
            else:
                parts.append(self._read_term())
        return f"<mrow>{''.join(parts)}</mrow>" if parts else ""

    def _read_term(self) -> str:
        """Read a factor, or a fraction of two."""
        above = self._read_factor()
        if self._peek() != "/":
            return above
        self._next()
        return f"<mfrac>{above}{self._read_factor()}</mfrac>"

    def _read_factor(self) -> str:
        """Read a name, a number or a group, with its subscript and its superscript."""
        kind, text = self._next()
        if text == "(":
            base = f"<mrow><mo>(</mo>{self._read_terms()}{self._close()}</mrow>"
        elif kind == "number":
            base = f"<mn>{text}</mn>"
        elif kind == "name":
            return self._read_name(text)
        else:
            raise NotAFormula
        return self._read_scripts(base)

    def _read_name(self, name: str) -> str:
        if name in _WORDS:
            return _WORDS[name]
        if len(name) > 1 and name.startswith("d"):  # a derivative: dx, dE
            rest = self._read_scripts(f"<mi>{name[1:]}</mi>")
            return f"<mrow><mo>∂</mo>{rest}</mrow>"
        if name == "d":
            return "<mo>∂</mo>"
        return self._read_scripts(f"<mi>{name}</mi>")

    def _read_scripts(self, base: str) -> str:
        primes = ""
        while self._peek() == "'":
            self._next()
            primes += "<mo>&#8242;</mo>"
        below = above = ""
        while self._peek() in ("_", "^"):
            sign = self._next()[1]
            script = self._read_script()
            below, above = (script, above) if sign == "_" else (below, script)
        above = f"<mrow>{primes}{above}</mrow>" if primes else above
        if below and above:
            return f"<msubsup>{base}{below}{above}</msubsup>"
        if below:
            return f"<msub>{base}{below}</msub>"
        return f"<msup>{base}{above}</msup>" if above else base

    def _read_script(self) -> str:
        kind, text = self._next()
        if text == "(":
            terms = self._read_terms()
            self._close()
            return terms
        if kind == "number":
            return f"<mn>{text}</mn>"
        if kind != "name":
            raise NotAFormula
        return f"<mi>{text}</mi>"

    def _close(self) -> str:
        if self._next()[1] != ")":
            raise NotAFormula
        return "<mo>)</mo>"
