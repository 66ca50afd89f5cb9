"""What is measured inside a network: each probe is a function that returns a table.

A probe is registered in its own file. The registration says

    at               when explain.py runs it: start, snapshots, end
    split            the images it sees: train or test
    needs_shortcuts  whether it is impossible in plain networks
    columns          what each column of its table may hold (records/row_validation.py)

The function takes (network, images, labels, generator) and returns a `Table`. It leaves the network
and the training unchanged, and draws all its random numbers from the generator.
"""
