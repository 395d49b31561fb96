"""Every model of the table, and three toys, keep the contract; broken models do not."""

from __future__ import annotations

import pytest
import torch
from toys import Noise, Prediction, Translation

from videosynth.models import MODELS, model_class
from videosynth.testing import check_contract, random_clip, train_steps
from videosynth.types import UserError


@pytest.mark.parametrize("kind", [Noise, Prediction, Translation])
def test_toys(kind, tmp_path):
    check_contract(kind, tmp_path)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models(name, tmp_path):
    check_contract(model_class(name), tmp_path)


class Deaf(Translation):
    """A parameter that nothing uses."""

    def __init__(self, spec, width=8):
        super().__init__(spec, width)
        self.generator.spare = torch.nn.Parameter(torch.ones(3))
        self.generator.forward = lambda x: self.generator[3](self.generator[2](self.generator[1](self.generator[0](x))))


class Restless(Translation):
    """Frames that differ from call to call."""

    @torch.no_grad()
    def frames(self, request):
        for frame in super().frames(request):
            frame.image = (frame.image + 0.01 * torch.randn(())).clamp(-1, 1)
            yield frame


def test_contract_can_fail(tmp_path):
    with pytest.raises(AssertionError, match="no gradient reaches"):
        check_contract(Deaf, tmp_path, steps=3)
    with pytest.raises(AssertionError, match="same request gives other frames"):
        check_contract(Restless, tmp_path, steps=10)


class Explosive(Translation):
    def learn(self, fake, clip):
        with self.step("g") as terms:
            terms["l1"] = fake.mean() * float("nan")


class Steep(Translation):
    def learn(self, fake, clip):
        with self.step("g") as terms:
            terms["l1"] = (fake * 0).abs().mean().sqrt()  # 0, with a slope that is not a number


def test_non_finite_gradient_keeps_the_weights():
    model = Steep.tiny()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(UserError, match="the gradient of the group g is not finite"):
        train_steps(model, random_clip(model.spec, 1, 4), 1)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_non_finite_loss_names_the_term_and_keeps_the_weights():
    model = Explosive.tiny()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(UserError, match="g/l1 is not finite"):
        train_steps(model, random_clip(model.spec, 1, 4), 1)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


class Careless(Translation):
    def learn(self, fake, clip):
        with self.step("g") as terms:
            terms["l2"] = fake.mean()


def test_terms_and_weights_must_match():
    with pytest.raises(KeyError, match="no weight is configured"):
        train_steps(Careless.tiny(), random_clip(Careless.tiny().spec, 1, 4), 1)

    class Forgetful(Translation):
        def learn(self, fake, clip):
            with self.step("g") as terms:
                self.weights["g"]["other"] = 2.0
                terms["l1"] = fake.mean()

    with pytest.raises(KeyError, match="were not computed: other"):
        train_steps(Forgetful.tiny(), random_clip(Forgetful.tiny().spec, 1, 4), 1)
