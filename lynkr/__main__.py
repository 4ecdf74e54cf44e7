"""`python -m lynkr` is `lynkr`."""

from lynkr.cli.main import main

if __name__ == "__main__":
    main()
