"""A process without pandas."""

import subprocess
import sys

SCRIPT = """
from pipeline.spare import without_pandas
without_pandas()
import pyarrow
assert pyarrow.array([["a"], None]).to_pylist() == [["a"], None]
import sys
assert "pandas" not in sys.modules
try:
    import pandas
except ModuleNotFoundError as missing:
    print(missing.name)
"""


def test_arrow_makes_arrays_without_pandas() -> None:
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)
    assert (found.stdout.strip(), found.returncode) == ("pandas", 0), found.stderr
