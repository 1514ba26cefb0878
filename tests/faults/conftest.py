"""The modules of this folder can be imported, also by the processes that run the commands."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
