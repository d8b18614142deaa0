"""Which tokens are chosen anew."""

from __future__ import annotations

import pytest
from sentences import TOKENIZER, encoder, speaking

from subarch.learning.proposals.swap import swap
from subarch.learning.replacing import reads_types


@pytest.mark.parametrize("share", [0, 1.5])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="shares"):
        swap(encoder(), TOKENIZER, share=share)


def test_token_types_are_read_where_the_config_has_several() -> None:
    assert reads_types(speaking()) == (speaking().config.type_vocab_size > 1)
