"""The texts of the section *Why*: one short step per mechanism, and a lead before them.

A step says in a few sentences what one would expect and what these runs show. The sentence about
the runs follows from the verdicts of the mechanism's claims, and each outcome has its own text, so
that words never say more than the verdict. One module per
mechanism of `analysis.mechanisms`; what is measured, and its limits, are in its `DETAILS`, which
the page folds.
"""
