"""One module per command: `add_arguments(parser)` and `run(args) -> exit code`.

Modules here import at their top only what needs numpy; anything heavier inside `run`.
"""
