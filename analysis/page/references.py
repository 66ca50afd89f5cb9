"""The publications that a page refers to, by the short form that its texts use."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from analysis.sections import Section


@dataclass(frozen=True)
class Reference:
    """A publication: `label` is how texts refer to it, `full` its authors, title and place."""

    label: str
    full: str


HE_2015 = Reference(
    "He et al. 2015",
    "K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition. 2015"
    " (CVPR 2016), arXiv:1512.03385.",
)
REFERENCES = (
    HE_2015,
    Reference(
        "He et al. 2016",
        "K. He, X. Zhang, S. Ren, J. Sun: Identity Mappings in Deep Residual Networks. ECCV 2016,"
        " arXiv:1603.05027.",
    ),
    Reference(
        "Veit et al. 2016",
        "A. Veit, M. Wilber, S. Belongie: Residual Networks Behave Like Ensembles of Relatively"
        " Shallow Networks. NIPS 2016, arXiv:1605.06431.",
    ),
    Reference(
        "Balduzzi et al. 2017",
        "D. Balduzzi, M. Frean, L. Leary, J. P. Lewis, K. W.-D. Ma, B. McWilliams: The Shattered"
        " Gradients Problem: If resnets are the answer, then what is the question? ICML 2017,"
        " arXiv:1702.08591.",
    ),
    Reference(
        "Li et al. 2018",
        "H. Li, Z. Xu, G. Taylor, C. Studer, T. Goldstein: Visualizing the Loss Landscape of Neural"
        " Nets. NeurIPS 2018, arXiv:1712.09913.",
    ),
)


def list_references(sections: Iterable[Section]) -> list[Reference]:
    """Return the publications that the sections name; He et al. 2015 is always among them."""
    text = " ".join(text for section in sections for text in _list_texts(section))
    text = re.sub(r"\s+", " ", text)
    return [
        reference for reference in REFERENCES if reference is HE_2015 or reference.label in text
    ]


def _list_texts(section: Section) -> list[str]:
    captions = [caption for _figure, caption in section.figures.values()]
    claims = [
        line
        for claim in section.claims
        for line in (claim.statement, claim.plain_words, *claim.evidence, *claim.notes)
    ]
    return [section.title, section.introduction, section.details, *captions, *claims]
