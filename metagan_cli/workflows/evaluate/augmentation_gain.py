"""evaluate --gain: what a few-shot classifier gains from generated images."""

import torch

from metagan_cli.evaluation.gain import GENERATED, Gain, augmentation_gain
from metagan_cli.evaluation.metrics import evenly
from metagan_cli.rng import generator_for
from metagan_cli.workflows.evaluate.baselines import model_method
from metagan_cli.workflows.evaluate.setup import Setup
from metagan_cli.workflows.evaluate.tasks import EvaluationTask
from metagan_cli.workflows.progress import Report

SHOTS, FEWEST_TESTS = (5, 10, 15), 5  # real images a class, and the fewest to test with (Hong et al. 2020)


def augmentation_gains(setup: Setup, report: Report) -> list[Gain]:
    """The first model's images as augmentation, for each of SHOTS that two tasks or more have the images for."""
    settings, gains = setup.settings, []
    method = model_method(setup.models[0], setup.models[0].name, settings.steps, settings.seed)
    for shots in SHOTS:
        each = shots + FEWEST_TESTS
        numbers = evenly(setup.source.tasks(each), settings.tasks)
        if len(numbers) < 2:
            continue
        tasks, made = [], []
        for done, number in enumerate(numbers):
            images = setup.source.draw(number, each, generator_for(settings.seed, "gain", number)).float() / 127.5 - 1
            support, truth = images.split([shots, FEWEST_TESTS])
            tasks.append(EvaluationTask(done, setup.source.title(number, each), support, truth, truth))
            made.append(method.draw(tasks[-1], tasks, GENERATED))
            report(f"augmentation gain, {shots} shots", done + 1, len(numbers))
        real, test = (torch.stack([getattr(task, name) for task in tasks]) for name in ("support", "truth"))
        gains.append(augmentation_gain(setup.judges.identity, real, torch.stack(made), test, settings.seed))
    return gains
