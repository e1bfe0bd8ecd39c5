"""`python -m conductor_git`: the same as `conductor-git`, where the command is not on the path."""

from conductor_git.cli.main import main

if __name__ == "__main__":
    main()
