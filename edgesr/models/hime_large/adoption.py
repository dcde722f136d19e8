"""A trained HIME as the start of a HIME-large: what both have is taken over, and the flow is yet to be learned."""

from __future__ import annotations

from torch import Tensor

from edgesr.models.hime.network import HIME
from edgesr.models.hime_large.network import HIMELarge
from edgesr.models.network import Network

MIDDLE = 1
"""Of a 3x3 kernel."""


def adopt(start: Network, model: HIMELarge) -> dict[str, Tensor] | None:
    """The state of ``model`` with what ``start`` has of it; None where that is another network or has other widths.

    The residual offsets start at zero, as ``start``'s led the whole way, which the flow will: while the flow is learned
    they learn to end where ``start``'s did (``pretraining.way_loss``). Of g's reference half, which is 1x1 here, the
    kernel's middle is taken.
    """
    if not isinstance(start, HIME) or start.config.offset_groups != model.config.offset_groups:
        return None
    own, given = model.state_dict(), dict(start.state_dict())
    if "rfa.g_ref.weight" in given:
        given["rfa.g_ref.weight"] = given["rfa.g_ref.weight"][:, :, MIDDLE : MIDDLE + 1, MIDDLE : MIDDLE + 1]
    adopted = {name for name in own if not name.startswith(("rfa.flow.", "rfa.offset."))}
    if any(name not in given or given[name].shape != own[name].shape for name in adopted):
        return None
    return {name: given[name].clone() if name in adopted else tensor for name, tensor in own.items()}
