"""How a process of ours starts, runs, answers and stops."""
