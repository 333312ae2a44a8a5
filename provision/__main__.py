"""`python -m provision`: the same as the program `provision`."""

from provision.cli import main

if __name__ == "__main__":  # processes of a local cluster read this file too
    main()
