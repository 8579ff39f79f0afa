"""The command `harness`: one module a sub-command, loaded when it is asked for."""
