"""The critic: says before an evaluation what it will probably show, and has less promising proposals left out.

features    what it sees of an expression
models      what it predicts, and how
quality     how good predictions were
criticised  a generator whose proposals it sifts
"""

from alpha_pipeline.generate.critic.criticised import Criticised, CriticSettings
from alpha_pipeline.generate.scheduler import Auto
from alpha_pipeline.generate.searcher import Searcher


def criticised(generator: Searcher, seed: int = 0, settings: CriticSettings | None = None) -> Searcher:
    """A generator whose proposals a critic sifts before they are evaluated; its name gets `_critic` at the end.

    Every arm of `auto` gets a critic of its own, so that each learns from what was told of its own proposals.

    Args:
        generator: with nothing proposed yet.
        seed: of what is handed on by chance.
        settings: how it sifts.
    """
    if not isinstance(generator, Auto):
        return Criticised(generator, seed, settings)
    generator.sift(lambda arm, own: Criticised(arm, own, settings), seed)
    generator.name = f"{generator.name}_critic"
    return generator


__all__ = ["CriticSettings", "Criticised", "criticised"]
