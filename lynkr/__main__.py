"""`lynkr`, and `python -m lynkr`."""

import gc


def main() -> None:
    """The command line's way in."""
    # Until the command is there nothing is garbage, and looking for it takes a twentieth of a session's start.
    gc.disable()
    from lynkr.cli.main import main as lynkr

    try:
        lynkr()
    finally:
        gc.freeze()  # nor when it ends: what is left goes with the process


if __name__ == "__main__":
    main()
