"""Tokens: read from a file, and accepted as bearer tokens only."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecgvision.core.errors import ConfigError
from ecgvision.deploy.serve import tokens as module
from ecgvision.deploy.serve.tokens import Tokens, read_tokens


def test_tokens_are_read_and_accepted(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("# of the ward\n" + "a" * 16 + "\n\n" + "b" * 30 + "\n")
    tokens = read_tokens(tmp_path / "t")
    assert tokens.accept("Bearer " + "a" * 16)
    assert tokens.accept("bearer " + "b" * 30)
    for wrong in (None, "", "Bearer", "Bearer ", "Bearer " + "a" * 15, "Bearer # of the ward",
                  "Basic " + "a" * 16, "a" * 16, "Bearer \udcff"):  # fmt: skip
        assert not tokens.accept(wrong)
    assert Tokens().accept(None)


@pytest.mark.parametrize(("text", "said"), [("", "no tokens"), ("short", "fewer than 16")])
def test_files_without_good_tokens_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_tokens(tmp_path / "t")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_tokens(tmp_path / "absent")


def test_every_token_is_compared_whichever_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    compare = module.hmac.compare_digest
    monkeypatch.setattr(module.hmac, "compare_digest",
                        lambda a, b: asked.append((len(a), len(b))) or compare(a, b))  # fmt: skip
    tokens = Tokens(["a" * 16, "b" * 99])
    for given in ("a" * 16, "b" * 99, "c"):
        tokens.accept(f"Bearer {given}")
    assert asked == [(32, 32)] * 6
