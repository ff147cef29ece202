"""Published settings: what each name of an agent stands for on a task."""

from collections.abc import Callable
from dataclasses import replace

from primacy.agents import drq as pixels
from primacy.agents import value_settings
from primacy.agents.bc import BCConfig
from primacy.agents.drq import DrQConfig
from primacy.agents.iql import IQLConfig
from primacy.agents.rlpd import RLPDConfig
from primacy.agents.value_settings import BBFConfig
from primacy.envs import dmc_pixel_tasks
from primacy.runs.config import RunConfig


def sac(task: str) -> RunConfig:
    """The primacy-bias study's SAC (Nikishin et al. 2022, rl_with_resets configs/sac.py), without
    resets."""
    return RunConfig(task=task)


def sr_sac(task: str) -> RunConfig:
    """SR-SAC at replay ratio 16 (D'Oro et al. 2023): a full reset every 2,560,000 gradient steps,
    DMC15-500k."""
    return replace(
        sac(task),
        agent="sr-sac",
        replay_ratio="16",
        env_steps=500_000,
        remedies=("reset:every=2560000,unit=gradient_steps",),
    )


def iql(task: str) -> RunConfig:
    """IQL's online phase from scratch (Kostrikov et al. 2021, train_finetune.py): no random steps
    beyond one batch, one update per env step, 1e6 env steps."""
    return replace(
        sac(task), agent="iql", algorithm=IQLConfig(), start_steps=256, env_steps=1_000_000
    )


def rlpd(task: str) -> RunConfig:
    """RLPD's locomotion setting without prior data (Ball et al. 2023): 20 critic steps per env
    step, 250,000 env steps, the first 5,000 random."""
    return replace(
        sac(task),
        agent="rlpd",
        algorithm=RLPDConfig(),
        replay_ratio="20",
        start_steps=5_000,
        env_steps=250_000,
    )


def bc(task: str) -> RunConfig:
    """Behaviour cloning (CORL). Without prior data it clones its own first, random actions."""
    return replace(sac(task), agent="bc", algorithm=BCConfig())


def atari_100k(task: str, agent: str, algorithm: BBFConfig) -> RunConfig:
    """What all agents of the Atari-100k benchmark share (Kaiser et al. 2020; Schwarzer et al.
    2023): 100,000 env steps of 4 frames, the first 2,000 random, and 100 episodes at the end."""
    return RunConfig(
        task=task,
        agent=agent,
        algorithm=algorithm,
        env_steps=100_000,
        start_steps=2_001,
        action_repeat=4,
        replay_ratio="2",
        batch_size=32,
        replay_capacity=200_000,
        eval_every=100_000,
        eval_episodes=100,
    )


RESETS_OF_BBF = (
    "shrink-perturb:every=40000,networks=critic,layers=encoder,shrink=0.5,target=own",
    "reset:every=40000,networks=critic,layers=head:2,target=own,optimiser=all",
)
"""Every 40,000 gradient steps the encoder goes halfway to a fresh one and the rest is drawn anew,
in the target network by draws of its own; the optimiser starts again (Schwarzer et al. 2023)."""


def bbf(task: str) -> RunConfig:
    """BBF at replay ratio 2 (Schwarzer et al. 2023, BBF.gin), with its resets."""
    return replace(atari_100k(task, "bbf", BBFConfig()), remedies=RESETS_OF_BBF)


def bbf_rl(task: str) -> RunConfig:
    """BBF without self-prediction (its ablation "-SPR"; the ResNet rows of Hare & Tortoise)."""
    return replace(bbf(task), agent="bbf-rl", algorithm=value_settings.bbf_rl(BBFConfig()))


def sr_spr(task: str) -> RunConfig:
    """SR-SPR at replay ratio 8 (D'Oro et al. 2023, SR_SPR.gin): as BBF, but the encoder keeps
    four fifths of itself."""
    perturb, reset = RESETS_OF_BBF
    return replace(
        atari_100k(task, "sr-spr", value_settings.sr_spr(BBFConfig())),
        replay_ratio="8",
        remedies=(perturb.replace("shrink=0.5", "shrink=0.8"), reset),
    )


def spr(task: str) -> RunConfig:
    """SPR (Schwarzer et al. 2021) without resets."""
    return atari_100k(task, "spr", value_settings.spr(BBFConfig()))


def drq_atari(task: str) -> RunConfig:
    """The DrQ of Hare & Tortoise's table, without remedies."""
    return atari_100k(task, "drq-atari", value_settings.drq(BBFConfig()))


def drq_eps(task: str) -> RunConfig:
    """DrQ(eps) (Agarwal et al. 2021, DrQ_eps.gin): one update per env step, 1,600 random ones."""
    algorithm = value_settings.drq_eps(BBFConfig())
    return replace(atari_100k(task, "drq-eps", algorithm), replay_ratio="1", start_steps=1_601)


def drq(task: str) -> RunConfig:
    """The study's DrQ on DeepMind Control from pixels (Nikishin et al. 2022, train_pixels.py),
    without resets, with the action repeat and the length of its runs on the task."""
    known = isinstance(task, str) and task.rpartition("-")[2] in dmc_pixel_tasks.VARIANTS
    # Elsewhere there is no such figure; what the agent cannot see is refused by its environment.
    named = task if known else "walker-run-pixels"
    return RunConfig(
        task=task,
        agent="drq",
        algorithm=DrQConfig(),
        env_steps=dmc_pixel_tasks.published_env_steps(named),
        start_steps=1_000,
        action_repeat=dmc_pixel_tasks.published_action_repeat(named),
        batch_size=512,
        replay_capacity=100_000,
    )


def drq_jaxrl(task: str) -> RunConfig:
    """The same with jaxrl's drq_default, for tasks of 84 x 84 RGB frames."""
    return replace(drq(task), agent="drq-jaxrl", algorithm=pixels.drq_jaxrl(DrQConfig()))


def drq_original(task: str) -> RunConfig:
    """DrQ as published with K = M = 2 (Kostrikov et al. 2020), for the same tasks."""
    return replace(drq(task), agent="drq-original", algorithm=pixels.drq_original(DrQConfig()))


SETTINGS: dict[str, Callable[[str], RunConfig]] = {
    "sac": sac,
    "sr-sac": sr_sac,
    "iql": iql,
    "rlpd": rlpd,
    "bc": bc,
    "bbf": bbf,
    "bbf-rl": bbf_rl,
    "sr-spr": sr_spr,
    "spr": spr,
    "drq-atari": drq_atari,
    "drq-eps": drq_eps,
    "drq": drq,
    "drq-jaxrl": drq_jaxrl,
    "drq-original": drq_original,
}
