"""Tables that compare: the best of what may be compared is bold, missing numbers say why, texts are escaped."""

from html.parser import HTMLParser

from pipeline.reporting.comparison import Cell, Column, Entrant, marked_cells, table_html

PSNR = Column("psnr", "PSNR", higher_is_better=True, digits=1, unit="dB")
ERROR = Column("error", "error", higher_is_better=False, digits=2)
COUNT = Column("count", "count", digits=0)


def row(name: str, group: str = "", comparable: str = "", **values: float) -> Entrant:
    return Entrant((name,), values, group, comparable)


class Bold(HTMLParser):
    """The texts in bold, and those of the headings of groups."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside = ""
        self.bold: list[str] = []
        self.groups: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = "group" if dict(attributes).get("class") == "group" else tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "b":
            self.bold.append(data)
        elif self.inside == "group":
            self.groups.append(data)


def test_the_best_is_the_highest_or_the_lowest_as_the_column_says() -> None:
    cells = marked_cells(
        [PSNR, ERROR, COUNT], [row("a", psnr=30.0, error=0.2, count=1.0), row("b", psnr=25.0, error=0.1)]
    )
    assert cells[0] == [Cell("30.0", best=True), Cell("0.20"), Cell("1")]
    assert cells[1] == [Cell("25.0"), Cell("0.10", best=True), Cell("")]


def test_numbers_that_read_the_same_are_equally_good_and_a_single_one_is_not_the_best() -> None:
    assert [cells[0].best for cells in marked_cells([PSNR], [row("a", psnr=30.01), row("b", psnr=29.99)])] == [
        False,
        False,
    ]
    best = marked_cells([PSNR], [row("a", psnr=30.01), row("b", psnr=29.99), row("c", psnr=3.0)])
    assert [cells[0].best for cells in best] == [True, True, False]
    assert not marked_cells([PSNR], [row("a", psnr=30.0)])[0][0].best


def test_what_was_judged_otherwise_is_not_compared() -> None:
    rows = [row("a", comparable="8 views", psnr=20.0), row("b", comparable="4 views", psnr=30.0)]
    assert not any(cell.best for cells in marked_cells([PSNR], rows) for cell in cells)


def test_groups_have_headings_and_a_best_each_and_empty_columns_go() -> None:
    rows = [
        row("a", "one", psnr=20.0),
        row("b", "two", psnr=30.0),
        row("c", "one", psnr=21.0),
        row("d", "two", psnr=1.0),
    ]
    html = table_html(["run"], [PSNR, ERROR], rows)
    assert Bold(html).bold == ["21.0", "30.0"] and Bold(html).groups == ["one", "two"]
    assert "error" not in html and ", dB ↑" in html


def test_a_missing_number_says_why_and_texts_are_escaped() -> None:
    lost = Entrant(("<i>run</i>",), {}, notes={"psnr": "no <truth>"})
    html = table_html(["run"], [PSNR], [lost, row("b", psnr=1.0)])
    assert "no &lt;truth&gt;" in html and "&lt;i&gt;run" in html and "<i>" not in html
