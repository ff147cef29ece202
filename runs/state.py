"""What a checkpoint holds of a run's parts in tensors, and how parts become it again."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from primacy.replay.journal import Journal
from primacy.runs.assembly import Parts


def learned(parts: Parts) -> dict[str, Tensor]:
    """Agent and remedies."""
    found = {f"agent/{name}": value for name, value in parts.agent.state().items()}
    return found | {f"chain/{name}": value for name, value in parts.chain.state_dict().items()}


def lived(parts: Parts) -> dict[str, Tensor]:
    """Of the experience what the journal lacks, each with a leading axis of lanes or by lane:
    priorities, the last frames, and the simulators where they can tell their state."""
    found = {f"replay/{name}": value for name, value in parts.replay.state().items()}
    if parts.eyes is not None:
        found["eyes"] = torch.from_numpy(parts.eyes.frames)
    for lane, state in enumerate(parts.lanes.states() or ()):
        found[f"lanes/{lane}"] = torch.frombuffer(bytearray(state), dtype=torch.uint8)
    return found


def chosen(tensors: Mapping[str, Tensor], lanes: Sequence[int]) -> dict[str, Tensor]:
    """What `lived` says, of some lanes."""
    found = {
        name: value[list(lanes)]
        for name, value in tensors.items()
        if name.startswith(("replay/", "eyes"))
    }
    for new, old in enumerate(lanes):
        if f"lanes/{old}" in tensors:
            found[f"lanes/{new}"] = tensors[f"lanes/{old}"]
    return found


def restore_learned(parts: Parts, tensors: Mapping[str, Tensor]) -> None:
    """Agent and remedies as they were."""
    own = _part(tensors, "agent/")
    for name, value in parts.agent.state().items():
        value.copy_(own[name])
    parts.chain.load_state_dict(_part(tensors, "chain/"))


def restore_lived(parts: Parts, tensors: Mapping[str, Tensor]) -> bool:
    """Experience as it was, once replay is refilled; whether that includes the lanes, which must
    otherwise be stepped anew."""
    if own := _part(tensors, "replay/"):
        parts.replay.load(own)
    if parts.eyes is not None and "eyes" in tensors:
        parts.eyes.frames = tensors["eyes"].numpy().copy()
    states = _part(tensors, "lanes/")
    if not states:
        return False
    parts.lanes.resume([states[str(lane)].numpy().tobytes() for lane in range(len(states))])
    return True


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}


def restep(
    parts: Parts, journal: Journal, held: int, episodes: list[int], lengths: list[int]
) -> None:
    """Lanes as they were after the journal's first `held` transitions: the unfinished episode of
    each, number and length given, is stepped again and compared."""
    rows = journal.read(held - max(lengths), held)
    views = parts.layout.views(torch.from_numpy(rows))
    actions, observations = views.action.numpy(), views.observation.numpy()
    total = len(rows)
    parts.lanes.restore(
        episodes,
        [actions[total - n :, lane] for lane, n in enumerate(lengths)],
        [observations[total - n :, lane] for lane, n in enumerate(lengths)],
        views.next_observation[-1].numpy() if total else None,
    )
