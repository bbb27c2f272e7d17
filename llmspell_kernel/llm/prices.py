"""What tokens cost, offline: the price list that comes with genai-prices, in US dollars.

Importing this module imports pydantic: do it late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

if TYPE_CHECKING:
    from llmspell_kernel.llm.protocol import Usage

_PROVIDER_IDS = {"xai": "x-ai"}
"""Where the list names a provider otherwise."""


def price(provider: str, model: str, usage: Usage) -> float | None:
    """The price of `usage`, or None if the list does not know the model."""
    tokens = PricedUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=min(usage.cached_tokens, usage.prompt_tokens),
    )
    try:
        found = calc_price(tokens, model_ref=model, provider_id=_PROVIDER_IDS.get(provider, provider))
    except LookupError:
        return None
    return float(found.total_price)
