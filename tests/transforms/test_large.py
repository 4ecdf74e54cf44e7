"""Large results of programs: pages without their scripts, minified code, CSV with its repetition said once."""

from __future__ import annotations

import pytest

from lynkr.transforms.shaper import alone

SCRIPT = "var a=1;function f(){return a};" * 400
STYLE = "a{color:red}" * 300
DATA = '{"orders": [' + ",".join(f'{{"id": {n}}}' for n in range(60)) + "]}"
TEXT = "".join(f"<p>Order {n} was shipped to customer {n * 7}.</p>\n" for n in range(60))
PAGE = (
    f"<!doctype html>\n<html><head><title>Orders</title><style>{STYLE}</style>\n"
    f'<script type="application/json">{DATA}</script>\n<script async>{SCRIPT}</script>\n'
    f"</head><body>\n{TEXT}<script src='x.js'></script></body></html>\n"
)


def squeezed(text: str, command: str) -> str:
    change = alone(text, command)
    return change.after if change else text


def test_a_page_keeps_its_words_and_data_and_says_what_went() -> None:
    after = squeezed(PAGE, "curl -s http://localhost/orders")
    assert SCRIPT not in after
    assert f"<script async>[lynkr: {len(SCRIPT)} characters of script]</script>" in after
    assert f"[lynkr: {len(STYLE)} characters of style; all of it: lynkr expand " in after
    assert all(line in after for line in TEXT.splitlines())
    assert DATA in after
    assert "<script src='x.js'></script>" in after
    assert len(after) < 0.35 * len(PAGE)


@pytest.mark.parametrize("command", ["cat page.html", "git show HEAD:page.html", "docker exec web cat page.html"])
def test_a_page_that_was_asked_for_as_a_file_stays(command: str) -> None:
    assert squeezed(PAGE, command) == PAGE


def test_a_page_that_is_not_large_or_whose_script_has_no_end_stays() -> None:
    small = f"<html><script>{SCRIPT[:3000]}</script></html>"
    assert squeezed(small, "curl x") == small
    endless = "<html><script>" + "\n".join(f"let v{n} = call({n}, 'text');" for n in range(600))
    assert squeezed(endless, "curl x") == endless


def test_a_minified_line_keeps_its_ends_and_a_long_line_of_words_or_data_all() -> None:
    minified = (
        "/*! lib v1.2.3 */" + "".join(f"function a{n}(b,c){{return b[{n}]+c;}}" for n in range(400)) + "//# map=x"
    )
    after = squeezed(f"built\n{minified}\n", "node build.js")
    assert after.startswith("built\n/*! lib v1.2.3 */function a0(b,c)")
    assert after.endswith("//# map=x\n")
    assert "characters of minified code; all of it: lynkr expand " in after
    assert len(after) < 0.2 * len(minified)
    words = "The order number {} was shipped to its customer; (see there). "
    for line in (
        "".join(words.format(n) for n in range(300)),
        '{"a":"' + "".join(f"x{n};" for n in range(3000)) + '"}',
    ):
        assert squeezed(f"{line}\n", "node x.js") == f"{line}\n"


ROWS = [[str(n), f"user {n}", "active", "europe-west" if n % 9 else "us-east", f"{n}.50", ""] for n in range(60)]
HEAD = ["id", "name", "state", "region", "amount", "note"]
CSV = "".join(",".join(row) + "\n" for row in [HEAD, *ROWS])


@pytest.mark.parametrize("command", ["python export.py", "cat orders.csv"])
def test_csv_has_every_cell_as_it_was_written(command: str) -> None:
    head, *lines = squeezed(CSV, command).rstrip("\n").split("\n")
    assert head.startswith(
        "[lynkr: 60 lines of CSV as rows; in all of them state=active, note=; ^ = as in the row above; "
    )
    assert ("lynkr expand" in head) is (command != "python export.py")
    names = head.partition("columns: ")[2].partition(";")[0].rstrip("]").split(",")
    above: list[str] = []
    for row, line in zip(ROWS, lines, strict=True):
        cells = [above[n] if cell == "^" else cell for n, cell in enumerate(line.split(","))]
        above = cells
        assert dict(zip(names, cells, strict=True)) | {"state": "active", "note": ""} == dict(
            zip(HEAD, row, strict=True)
        )
    assert len(squeezed(CSV, command)) < 0.75 * len(CSV)


@pytest.mark.parametrize(
    "text",
    [CSV.replace("user 7", '"user, 7"'), CSV.replace("user 7", "^"), CSV.replace("user 7", "user,7"), "\n".join(CSV.split("\n")[:8]),
     "first,second,third\n" + "".join(f"{n},{n * 3},{n * 7}\n" for n in range(60))],
    ids=["quotes", "a sign of ours", "a row with more cells", "few rows", "nothing repeats"],
)  # fmt: skip
def test_csv_that_cannot_be_told_shorter_for_certain_stays(text: str) -> None:
    assert squeezed(text, "python export.py") == text
