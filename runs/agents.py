"""The agents by their configuration, and which values of it are refused."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from primacy.agents.bbf import BBF
from primacy.agents.bc import BC, BCConfig
from primacy.agents.drq import DrQ, DrQConfig
from primacy.agents.iql import IQL, IQLConfig
from primacy.agents.rlpd import RLPD, RLPDConfig
from primacy.agents.sac import SAC, SACConfig
from primacy.agents.value_settings import BBFConfig
from primacy.plasticity.schedule import Schedule
from primacy.runs.errors import UserError

AgentConfig = SACConfig | IQLConfig | RLPDConfig | BCConfig | BBFConfig | DrQConfig

ALGORITHMS: dict[str, type] = {
    "sac": SACConfig,
    "sr-sac": SACConfig,
    "iql": IQLConfig,
    "rlpd": RLPDConfig,
    "bc": BCConfig,
    "bbf": BBFConfig,
    "bbf-rl": BBFConfig,
    "sr-spr": BBFConfig,
    "spr": BBFConfig,
    "drq-atari": BBFConfig,
    "drq-eps": BBFConfig,
    "drq": DrQConfig,
    "drq-jaxrl": DrQConfig,
    "drq-original": DrQConfig,
}

AGENTS: dict[type, Any] = {
    SACConfig: SAC,
    IQLConfig: IQL,
    RLPDConfig: RLPD,
    BCConfig: BC,
    BBFConfig: BBF,
    DrQConfig: DrQ,
}


@dataclass(frozen=True)
class Takes:
    """What an agent sees and does."""

    frames: bool = False
    """Stacks of frames uint8, not vectors float32."""
    choices: bool = False
    """One of a few choices, not continuous numbers."""

    def __str__(self) -> str:
        seen = "frames" if self.frames else "vectors"
        return f"{seen} and {'one of a few actions' if self.choices else 'continuous actions'}"


TAKES: dict[type, Takes] = {
    SACConfig: Takes(),
    IQLConfig: Takes(),
    RLPDConfig: Takes(),
    BCConfig: Takes(),
    BBFConfig: Takes(frames=True, choices=True),
    DrQConfig: Takes(frames=True),
}

POSITIVE = (
    "learning_rate",
    "actor_learning_rate",
    "value_learning_rate",
    "critic_learning_rate",
    "temperature_learning_rate",
    "initial_temperature",
    "temperature",
    "weight_cap",
    "critics",
    "subset",
    "critic_steps",
    "schedule_steps",
    "n_step",
    "first_n_step",
    "hidden_size",
    "frame_stack",
    "annealing",
    "epsilon_decay",
    "support",
    "latent_size",
    "augmentations",
    "target_augmentations",
)

NOT_NEGATIVE = (
    "gradient_clip",
    "jumps",
    "self_prediction",
    "pad",
    "intensity",
    "reward_clip",
    "priority_exponent",
    "importance",
    "final_importance",
    "margin",
    "noisy_sigma",
    "final_epsilon",
    "evaluation_epsilon",
)


def check_agent(config: AgentConfig) -> None:
    """Raises UserError for a value that no agent can be made of."""
    values = asdict(config)
    sizes = values.get("hidden_sizes", (1,))
    if not sizes or min(sizes) < 1:
        raise UserError(
            "--hidden-sizes needs at least one positive size", "for example --hidden-sizes 256 256"
        )
    for name in POSITIVE:
        if values.get(name, 1) <= 0:
            published = next(f.default for f in fields(config) if f.name == name)
            raise UserError(
                f"{_option(name)} must be positive", f"the published value is {published}"
            )
    for name in NOT_NEGATIVE:
        if values.get(name, 0) < 0:
            raise UserError(f"{_option(name)} must not be negative", "0 switches it off")
    if not 0 <= config.discount <= 1 or ("discount" in values and config.discount == 1):
        raise UserError("--discount must lie in [0, 1)", "the published value is 0.99")
    if not 0 < values.get("target_rate", 1) <= 1:
        raise UserError("--target-rate must lie in (0, 1]", "the published value is 0.005")
    if not 0 < values.get("expectile", 0.5) < 1:
        raise UserError("--expectile must lie in (0, 1)", "the published values are 0.7 and 0.9")
    if values.get("subset", 1) > values.get("critics", 1):
        raise UserError(
            f"--subset {values['subset']} is more than --critics {values['critics']}",
            "targets are the minimum over a subset of the critics",
        )
    low, high = values.get("log_std_low", -1.0), values.get("log_std_high", 1.0)
    if not low < high:
        raise UserError("--log-std-low must be below --log-std-high", "published: -5 or -20, and 2")
    if isinstance(config, BBFConfig):
        _check_values(config)
    if isinstance(config, DrQConfig) and len(config.channels) != len(config.strides):
        raise UserError(
            f"--channels has {len(config.channels)} numbers, --strides {len(config.strides)}",
            "give one of each for every convolution",
        )


def _check_values(config: BBFConfig) -> None:
    if config.atoms < 2 and config.value == "categorical":
        raise UserError("--atoms must be at least 2 for --value categorical", "published: 51")
    if config.atoms != 1 and config.value == "huber":
        raise UserError("--value huber has --atoms 1", "give both, or --value categorical")
    if len(config.channels) != 3 or min(config.channels) < 1:
        raise UserError("--channels needs three positive numbers", "for example 32 64 64")
    if config.bootstrap_offset not in (0, -1):
        raise UserError("--bootstrap-offset is 0 or -1", "-1 is what BBF's code does")


def check_steps(config: AgentConfig, remedies: list[Any], updates: dict[str, int]) -> None:
    """Raises UserError where an intervention would fall inside one call of an agent's update, or
    one of the `updates`, by option, would end there."""
    steps = config.steps_per_update
    hint = f"give a multiple of --critic-steps, which is {steps}"
    for option, count in updates.items():
        if count % steps:
            raise UserError(f"{option} {count} ends inside an update", hint)
    for remedy in remedies:
        if isinstance(remedy, Schedule) and remedy.unit == "gradient_steps":
            for name in ("every", "offset"):
                count = getattr(remedy, name)
                if count % steps:
                    raise UserError(f"remedies: {name}={count} falls inside an update", hint)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
