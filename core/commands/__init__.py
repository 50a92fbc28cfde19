"""One module per command: `add_arguments(parser)` and `run(args, console) -> exit code`.

Commands print through their console alone. Modules here import at their top only what needs numpy;
anything heavier inside `run`.
"""
