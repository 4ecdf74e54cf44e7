"""The little project that the demo's agent works on: one bug, one test that shows it."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "cart.py": '''\
"""A shopping cart."""


def total(prices, discount=0):
    """The sum of the prices in cents, less the discount in percent."""
    return sum(prices) * (100 + discount) // 100
''',
    "test_cart.py": """\
import unittest

from cart import total


class Total(unittest.TestCase):
    def test_without_a_discount(self):
        self.assertEqual(total([100, 250]), 350)

    def test_a_discount_makes_it_cheaper(self):
        self.assertEqual(total([100, 100], discount=25), 150)


if __name__ == "__main__":
    unittest.main()
""",
}
TASK = "The tests of this project fail. Find out why and mend it. Then run them again."


def make(folder: Path) -> None:
    """Writes the project into `folder`."""
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
