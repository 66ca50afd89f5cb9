"""The process of a check; `degradation.graph_check.subprocesses` starts it."""

from degradation.graph_check.subprocesses import main

if __name__ == "__main__":
    main()
