"""A program with a lasting fault: it says why and ends."""

import sys

if __name__ == "__main__":
    sys.exit("the fault that lasts")
