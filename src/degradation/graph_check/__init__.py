"""The self-check of CUDA graphs: do captured training steps equal eager ones on this machine?

A captured step is one that was captured in a CUDA graph and is replayed; an eager step launches
each kernel singly. `comparison` compares them, `subprocesses` does so in a process of its own,
`stored_results` stores the result for a machine and version, and `automatic` checks a run's own
step.
"""
