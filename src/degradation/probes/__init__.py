"""What is measured inside a network: each probe is a function that returns a table.

A probe is registered in its own file. Its registration says

    at               the moments at which explain.py takes it: start, snapshots, end
    split            the images it reads: train (probes.batch_size of them), test (probes.test_pictures)
    needs_shortcuts  it is not taken of plain networks
    columns          the columns of its table, and what each may hold (records/row_validation.py)

and the function takes (network, images, labels, generator) and returns a `Table`. It changes neither
the network nor the training that it is taken in. What is random in it draws from the generator.
"""
