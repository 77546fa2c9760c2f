"""The stand-ins keep the quirks of what they stand in for. Run: python3 tests/standins/test_standins.py"""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from nextcloud_cases import NextcloudTest  # noqa: E402, F401
from windmill_cases import WindmillTest  # noqa: E402, F401

if __name__ == "__main__":
    unittest.main()
