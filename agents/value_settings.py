"""The configuration of value-based agents that see, and the published settings of it."""

from dataclasses import dataclass, replace
from math import sqrt
from typing import ClassVar, Literal


@dataclass(frozen=True)
class BBFConfig:
    """Defaults are those of BBF (Schwarzer et al. 2023, configs/BBF.gin)."""

    steps_per_update: ClassVar[int] = 1
    """Gradient steps in one call of the agent's update."""

    encoder: Literal["impala", "nature"] = "impala"
    """Residual network, or the three convolutions of DQN."""
    channels: tuple[int, ...] = (64, 128, 128)
    """Of the encoder's stages; impala: (16, 32, 32) times four."""
    padding: Literal["same", "valid"] = "same"
    """Of nature's convolutions; impala's are always same."""
    hidden_size: int = 2048
    """Units of the hidden layer, of both streams together where they are separate."""
    separate_streams: bool = False
    """Hidden layers of their own for value and advantage."""
    noisy_sigma: float = 0.0
    """sigma_0 of noisy linear layers; 0 for plain ones."""
    renormalised: bool = True
    """Latents are scaled to [0, 1] per sample."""
    initialiser: Literal["xavier_uniform", "kaiming_uniform", "fan_in_uniform"] = "xavier_uniform"
    """Of every plain weight; biases start at 0."""
    value: Literal["categorical", "huber"] = "categorical"
    """Return distributions (C51), or scalar values with Huber's loss."""
    atoms: int = 51
    """Of a distribution."""
    support: float = 10.0
    """Atoms lie on [-support, support]."""
    head_gradient: float = 1.0
    """Factor of the gradient from the value loss into the latent."""
    jumps: int = 5
    """Steps of self-prediction; 0 for none."""
    self_prediction: float = 5.0
    """Weight of the self-prediction loss, the mean over jumps of squared distances."""
    strict_mask: bool = False
    """Drop also the last valid target of an episode, as the reference codes of SPR and BBF do."""
    pad: int = 4
    """Pixels of the random shift; 0 for none."""
    intensity: float = 0.05
    """Scale of the random brightness; 0 for none."""
    learning_rate: float = 1e-4
    """Step size of Adam."""
    adam_beta1: float = 0.9
    """Adam's decay of the mean gradient, per update."""
    adam_beta2: float = 0.999
    """Adam's decay of the mean squared gradient, per update."""
    adam_epsilon: float = 1.5e-4
    """Adam's term in the denominator."""
    weight_decay: float = 0.1
    """Decoupled decay of weights, not of biases."""
    gradient_clip: float = 0.0
    """Largest gradient norm per seed; 0 clips nothing."""
    target_rate: float = 0.005
    """Share of the new network in the target at each update; 1 for no target network."""
    acting: Literal["online", "target"] = "target"
    """Which network acts, in training and in evaluation."""
    n_step: int = 3
    """Rewards of a return, where annealing ends."""
    first_n_step: int = 10
    """The same, at the first update after a reset."""
    discount: float = 0.997
    """Discount per env step, where annealing ends."""
    first_discount: float = 0.97
    """The same, at the first update after a reset."""
    annealing: int = 10_000
    """Updates that annealing of n and discount takes."""
    bootstrap_offset: int = 0
    """Where returns bootstrap from, relative to s_{t+n}; -1 is the reference code's state, with its
    window of terminals. The replay buffer's affair."""
    epsilon_decay: int = 2_001
    """Env steps over which random actions become rare, from the first update on."""
    final_epsilon: float = 0.0
    """Share of random actions after that."""
    evaluation_epsilon: float = 0.001
    """Share of random actions in evaluation."""
    frame_stack: int = 4
    """Frames in an observation."""
    before_start: ClassVar[Literal["zero", "repeat"]] = "zero"
    """What stands for frames before an episode or a life began: black ones."""
    life_ends: bool = True
    """A lost life ends the episode that is learned from; evaluation plays on."""
    reward_clip: float = 1.0
    """Rewards are learned from as if within [-reward_clip, reward_clip]; 0 clips nothing."""
    priority_exponent: float = 0.5
    """Power of a transition's loss in its priority; 0 draws uniformly."""
    priority: Literal["loss", "divergence"] = "loss"
    """What priorities are powers of: the loss, or what of it is not the target's own entropy, the
    Kullback-Leibler divergence."""
    importance: float = 0.5
    """Power of 1 / priority in the weight of a sample, at the first update."""
    final_importance: float = 0.5
    """The same at the last update; linear in between."""
    margin: int = 16
    """Newest transitions that are not drawn."""


def bbf_rl(config: BBFConfig) -> BBFConfig:
    """BBF without self-prediction."""
    return replace(config, jumps=0, self_prediction=0.0)


def sr_spr(config: BBFConfig) -> BBFConfig:
    """SR-SPR (D'Oro et al. 2023, SR_SPR.gin): the small encoder, n and discount fixed."""
    return replace(
        config,
        encoder="nature",
        channels=(32, 64, 64),
        hidden_size=512,
        weight_decay=0.0,
        n_step=10,
        first_n_step=10,
        discount=0.99,
        first_discount=0.99,
    )


def spr(config: BBFConfig) -> BBFConfig:
    """SPR (Schwarzer et al. 2021, the authors' PyTorch code), without the transition model's
    BatchNorm and with one gradient clip for all parameters."""
    return replace(
        sr_spr(config),
        padding="valid",
        separate_streams=True,
        noisy_sigma=0.5,
        initialiser="kaiming_uniform",
        head_gradient=1.0 / sqrt(2.0),
        gradient_clip=10.0,
        target_rate=1.0,
        acting="online",
        priority="divergence",
        importance=0.4,
        final_importance=1.0,
        margin=0,
    )


def drq(config: BBFConfig) -> BBFConfig:
    """The DrQ of PLASTIC (Lee et al. 2023), most likely that of the Hare & Tortoise table: Rainbow
    with augmentation; biases of convolutions start at 0."""
    return replace(
        spr(config),
        hidden_size=1024,
        renormalised=False,
        initialiser="fan_in_uniform",
        jumps=0,
        self_prediction=0.0,
        learning_rate=sqrt(2.0) * 1e-4,
        target_rate=0.01,
        acting="target",
        priority="loss",
        epsilon_decay=1,
    )


def drq_eps(config: BBFConfig) -> BBFConfig:
    """DrQ(eps) (Agarwal et al. 2021, DrQ_eps.gin): scalar dueling double DQN, no target network."""
    return replace(
        sr_spr(config),
        renormalised=False,
        value="huber",
        atoms=1,
        jumps=0,
        self_prediction=0.0,
        target_rate=1.0,
        acting="online",
        epsilon_decay=5_000,
        final_epsilon=0.01,
        priority_exponent=0.0,
        margin=0,
    )


SETTINGS = {"bbf": lambda config: config, "sr-spr": sr_spr, "spr": spr, "drq": drq}
SETTINGS |= {"drq-eps": drq_eps}
