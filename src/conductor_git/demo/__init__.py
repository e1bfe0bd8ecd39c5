"""The demo: four workers, one of them wrong, two in conflict, on a scratch repository of real files.

`story` is what happens, as data; `scratch` makes the repository and reads its history; `agent` is the program that
each worker runs; `play` gives the coordinator's commands; `checks` looks whether everything was as told.
"""
