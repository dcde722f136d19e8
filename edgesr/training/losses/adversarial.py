"""The relativistic average GAN (Jolicoeur-Martineau 2018) as in the HIME paper, Eq. 12 to 14.

With D_Ra(a, b) = sigmoid(C(a) - E[C(b)]), -log sigmoid(x) is softplus(-x) and -log(1 - sigmoid(x)) is softplus(x),
which neither overflows nor loses its gradient where the sigmoid is 0 or 1.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def generator_loss(c_hr: Tensor, c_sr: Tensor) -> Tensor:
    """L_adv of Eq. 12 from the discriminator's outputs C on a batch of each: [N] -> scalar."""
    return F.softplus(c_hr - c_sr.mean()).mean() + F.softplus(c_hr.mean() - c_sr).mean()


def discriminator_loss(c_hr: Tensor, c_sr: Tensor) -> Tensor:
    """L_D of Eq. 14 from the discriminator's outputs C on a batch of each: [N] -> scalar."""
    return F.softplus(c_sr.mean() - c_hr).mean() + F.softplus(c_sr - c_hr.mean()).mean()
