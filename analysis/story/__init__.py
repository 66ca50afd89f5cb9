"""The story that the section *Why* tells: one short step per mechanism, and a lead before them.

A step has three sentences: what one would expect, what these runs show, and why that matters for
what follows. The sentence about the runs follows from the verdicts of the mechanism's claims, and
each outcome has its own text, so that words never say more than the verdict. One module per
mechanism of `analysis.mechanisms`; what is measured, and its limits, are in its `DETAILS`, which
the page folds.
"""
