"""Any number of past frames, none included, at sizes that need padding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from videosynth.models.vid2vid.model import Vid2Vid
from videosynth.models.vid2vid.options import GeneratorShape
from videosynth.testing import frames_of, random_clip, request_for, train_steps


@pytest.mark.parametrize(("past", "flow"), [(0, False), (1, True), (2, False), (4, True)])
def test_any_number_of_past_frames(past, flow):
    tiny = Vid2Vid.tiny()
    shape = GeneratorShape(width=4, downsamples=2, blocks=2, past=past, flow=flow)
    spec = replace(tiny.spec, size=(17, 23))
    model = Vid2Vid(spec, shape, tiny.critic_shape, tiny.losses, replace(tiny.schedule, clip_length=6))
    clip = random_clip(spec, 2, 6)
    watch = train_steps(model, clip, 2)
    assert watch.touched == {n for n, _ in model.named_parameters()}
    frames = frames_of(model.eval(), request_for(model, clip))
    assert frames.shape == (2, 6, 3, 17, 23)
    extras = {k for f in model.generate(request_for(model, clip)) for k in f.extras}
    assert ("flow" in extras) == flow
