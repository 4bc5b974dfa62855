"""What the policy learners share of settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from alpha_pipeline.errors import BadInput
from alpha_pipeline.generate.policy.network import KINDS
from alpha_pipeline.generate.space.prefix import Priors


@dataclass(frozen=True)
class PolicySettings:
    """What the policy learners share.

    Args:
        batch: samples that one update learns from.
        width: of the embeddings and the recurrent state.
        kind: of the recurrent net: "gru", "lstm" or "none".
        rate: learning rate of Adam (Kingma and Ba 2015).
        entropy: normalised entropy of the decisions that is held to; what a policy loses below it, it misses later.
        longest_step: norm that gradients are clipped to.
        replay: share of replayed sequences in what an update learns from, below 1; 0 for none.
        imitation: weight of self-imitation.
        crowding: weight of what the elite holds of a proposal already, taken off its reward; see `PolicyLearner.pay`.
        mirror: whether strong losers are proposed with the other sign.
        bred: share of an ask that is bred from what was found instead of sampled, below 1; see `PolicyLearner`.
        priors: of the token space.
    """

    batch: int = 64
    width: int = 64
    kind: str = "lstm"
    rate: float = 3e-3
    entropy: float = 0.6
    longest_step: float = 0.5
    replay: float = 0.25
    imitation: float = 1.0
    crowding: float = 0.5
    mirror: bool = True
    bred: float = 0.5
    priors: Priors = field(default_factory=Priors)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInput(f"kind is {self.kind!r}", "policy settings", f"use one of {', '.join(KINDS)}")
        if min(self.batch, self.width) < 1 or not self.rate > 0:
            what = f"batch {self.batch}, width {self.width}, rate {self.rate}"
            raise BadInput(what, "policy settings", "use 1 or more, 1 or more, and above 0")
        if not (0 <= self.replay < 1 and 0 <= self.bred < 1):
            what = f"replay {self.replay}, bred {self.bred}"
            raise BadInput(what, "policy settings", "use shares from 0 to below 1")
