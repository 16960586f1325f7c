"""A program that leaves a process of its own behind, out of its group, when it ends."""

import subprocess
import sys

from tests.integration.stand_in import main

if __name__ == "__main__":
    subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"], start_new_session=True
    )
    main()
