"""Probes: measurements inside a network, each a function that returns a table.

Each probe is registered in its own file. The registration states

    at               the phases in which explain.py runs it: start, snapshots, end
    split            the images it sees: train or test
    needs_shortcuts  whether it is impossible in plain networks
    any_network      whether it takes any module, not only a `Network` of blocks; default False
    columns          the values allowed in each column (records/row_validation.py)

The function takes (network, images, labels, generator) and returns a `Table`. It leaves the network
and the training unchanged, and draws all its random numbers from the generator.
"""
