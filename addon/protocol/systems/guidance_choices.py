"""What systems that shape an object by a prior's opinion can choose: the loss, and how much each noise level counts."""

from __future__ import annotations

LOSSES = (
    ("sds", "SDS", "Score distillation sampling, of DreamFusion"),
    ("csd", "CSD", "Classifier score distillation"),
    ("ism", "ISM", "Interval score matching, of LucidDreamer"),
    ("vsd", "VSD", "Variational score distillation, of ProlificDreamer; takes longer"),
    ("csm", "CSM", "Classifier score matching: no random noise"),
)
# Beside those, where a system has visual prompts.
WITH_VISUAL_PROMPT = (("vpcsm", "VPCSM", "Classifier score matching that sees a visual prompt"),)

NOISE_WEIGHTS = (
    ("ism", "Noise to Signal", "Deviation of the noise over that of the signal, of LucidDreamer"),
    ("sds", "Noise", "Variance of the noise, of DreamFusion"),
    ("uniform", "Even", "The same at every noise level"),
)
