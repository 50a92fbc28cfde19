"""One module per command: `add_arguments(parser)` and `run(args, console) -> exit code`.

Commands print only through their console. At their top, modules here import only what needs numpy;
`run` imports anything heavier."""
