"""Which widths to measure: each layer alone, then greedily together, then by an optimizer."""

from collections.abc import Callable, Iterable

from .meter import Measured, Meter
from .space import Space, Widths

__all__ = ["front", "greedy", "search", "sensitivity"]


ASKED = 8
"""How often the optimizer may ask for each choice that is measured; it repeats itself."""

Progress = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    pass


def sensitivity(meter: Meter, progress: Progress = _silent) -> dict[str, list[Measured]]:
    """For each layer and each of its modes: what it is worth to narrow that layer alone."""
    space, found = meter.space, {}
    total = sum(map(len, space.options.values()))
    for name, options in space.options.items():
        found[name] = []
        for mode in options:
            found[name].append(meter(space.with_layer(space.widest, name, mode)))
            progress(sum(map(len, found.values())), total)
    return found


def greedy(space: Space, found: dict[str, list[Measured]], cost: str) -> list[Widths]:
    """From the widest widths to the narrowest: each step takes the change that, by the layers
    alone, loses least for what it gains.
    """
    widths, chain = space.widest, []
    at = dict.fromkeys(space.options, 0)
    while True:
        steps = []
        for name, alone in found.items():
            now = alone[at[name]]
            for place in range(len(alone)):
                gained = getattr(now, cost) - getattr(alone[place], cost)
                if gained > 0:
                    lost = alone[place].loss - now.loss
                    steps.append((lost / gained, name, place))
        if not steps:
            return chain
        _, name, place = min(steps)
        at[name] = place
        widths = space.with_layer(widths, name, space.options[name][place])
        chain.append(widths)


def search(
    meter: Meter,
    found: dict[str, list[Measured]],
    *,
    cost: str = "cycles",
    trials: int = 200,
    seed: int = 1,
    progress: Progress = _silent,
) -> list[Measured]:
    """Measure up to ``trials`` more choices for little loss at little ``cost``; gives all.

    The greedy chain comes first, and what it found guides an evolutionary search (NSGA-II of
    Optuna). The same seed asks for the same choices in the same order, so a search that was stopped
    comes to the same end.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = meter.space
    measured = {m.widths: m for alone in found.values() for m in alone}
    population = max(8, min(32, trials // 6))
    study = optuna.create_study(
        directions=["minimize", "minimize"],
        sampler=optuna.samplers.NSGAIISampler(population_size=population, seed=seed),
    )
    choices = {
        name: optuna.distributions.CategoricalDistribution([str(mode) for mode in options])
        for name, options in space.options.items()
    }
    for widths in greedy(space, found, cost):
        study.enqueue_trial(space.table(widths))
    done = 0
    for _ in range(ASKED * trials):
        if done == trials:
            break
        trial = study.ask(choices)
        widths = tuple(
            next(mode for mode in options if str(mode) == trial.params[name])
            for name, options in space.options.items()
        )
        if widths not in measured:
            measured[widths] = meter(widths)
            done += 1
            progress(done, trials)
        study.tell(trial, (measured[widths].loss, getattr(measured[widths], cost)))
    progress(trials, trials)
    return list(measured.values())


def front(measured: Iterable[Measured], cost: str) -> list[Measured]:
    """Those that nothing beats in accuracy and ``cost`` both, cheapest first."""
    kept: list[Measured] = []
    for one in sorted(measured, key=lambda m: (getattr(m, cost), -m.accuracy, m.loss)):
        if not kept or one.accuracy > kept[-1].accuracy:
            kept.append(one)
    return kept
