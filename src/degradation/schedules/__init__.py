"""The shapes of a learning-rate schedule, one file and one registration each.

A shape is a pure function (iteration, schedule, plateaus) -> what `optim.lr` is multiplied by for
the update that follows `iteration` updates. `plateaus` is the number of plateaus so far. The fact
`has_drops` of its registration says whether `schedule.milestones` and `schedule.plateau` lower the
learning rate. Free of torch.
"""
