"""The pages of the documentation say what the code says."""

from scripts import pages


def test_the_generated_pages_are_up_to_date(capsys):
    assert pages.main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_that_differs_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pages, "DOCS", tmp_path)
    (tmp_path / "diagnosis.md").write_text("old")
    assert pages.main(["--check"]) == 1
    assert "diagnosis.md" in capsys.readouterr().out
    assert pages.main([]) == 0
    assert pages.main(["--check"]) == 0
