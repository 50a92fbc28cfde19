"""Adam over named parameters whose rows can be added and removed, with a state to save."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

EPS = 1e-15
MOMENTS = ("exp_avg", "exp_avg_sq")


class Optimiser:
    """rates: parameter name -> learning rate; parameters without one are not trained. decay: name
    -> weight decay (AdamW's, decoupled from the moments)."""

    def __init__(
        self, module: nn.Module, rates: Mapping[str, float], decay: Mapping[str, float]
    ) -> None:
        self.rates = dict(rates)
        self._module = module
        parameters = dict(module.named_parameters())
        groups = [
            {
                "params": [parameters[name]],
                "lr": rate,
                "name": name,
                "weight_decay": decay.get(name, 0),
            }
            for name, rate in rates.items()
        ]
        self._adam = torch.optim.AdamW(groups, eps=EPS, fused=True)

    def step(self, factor: float) -> None:
        """One step with every rate times `factor`; then the gradients are cleared."""
        for group in self._adam.param_groups:
            group["lr"] = self.rates[group["name"]] * factor
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)

    def resize(self, values: Mapping[str, Tensor], origin: Tensor, fresh: int) -> None:
        """Replace parameters by name: row i of `values` comes from row origin[i] and keeps its
        moments; the last `fresh` rows start with zero moments."""
        for group in self._adam.param_groups:
            if group["name"] not in values:
                continue
            old = group["params"][0]
            new = nn.Parameter(values[group["name"]].contiguous())
            state = self._adam.state.pop(old, None)
            if state:
                for moment in MOMENTS:
                    rows = state[moment][origin].clone()
                    rows[len(rows) - fresh :] = 0
                    state[moment] = rows
                self._adam.state[new] = state
            group["params"][0] = new
            _assign(self._module, group["name"], new)

    def state(self) -> dict[str, Tensor]:
        """The moments and step counts, as "PARAMETER/exp_avg", "/exp_avg_sq" and "/step"."""
        out = {}
        for group in self._adam.param_groups:
            state = self._adam.state.get(group["params"][0])
            if state:
                for key in (*MOMENTS, "step"):
                    out[f"{group['name']}/{key}"] = state[key]
        return out

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`; a parameter that is not in it starts anew."""
        for group in self._adam.param_groups:
            parameter = group["params"][0]
            keys = [f"{group['name']}/{key}" for key in (*MOMENTS, "step")]
            if all(key in state for key in keys):
                values = [state[key].clone() for key in keys]
                self._adam.state[parameter] = dict(zip((*MOMENTS, "step"), values, strict=True))


def _assign(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
    *path, leaf = name.split(".")
    owner = module.get_submodule(".".join(path))
    if isinstance(owner, nn.ParameterDict):
        owner[leaf] = parameter
    else:
        setattr(owner, leaf, parameter)


class Average:
    """Exponential moving average of the parameters, from which the avatar is made. decay: 0.999
    averages over about a thousand steps; over fewer at the beginning, which is forgotten sooner."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.values = {name: p.detach().clone() for name, p in module.named_parameters()}

    def restore(self, values: Mapping[str, Tensor], steps: int) -> None:
        # `update` relies on the module's order; a file has its own.
        self.values = {name: values[name].clone() for name in self.values}
        self.steps = steps

    def update(self, module: nn.Module) -> None:
        self.steps += 1
        weight = 1 - min(self.decay, self.steps / (self.steps + 10))
        new = [p.detach() for _, p in module.named_parameters()]
        torch._foreach_lerp_(list(self.values.values()), new, weight)
