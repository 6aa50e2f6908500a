"""A run in TensorBoard, in a real browser; skipped where there is none."""

import time

import numpy as np
import pytest
import tensorflow as tf

from tests.evaluate.pages.headless_browser import NEEDS_BROWSER, HeadlessBrowser
from tests.train.tensorboard_server import ask, serve
from train.loop import shown_sound
from train.loop.training_log import TrainingLog

pytestmark = NEEDS_BROWSER

RATE_HZ = 8000
IMAGE = np.random.default_rng(0).integers(0, 255, (13, 29, 3)).astype("u1")

# Elements in shadow trees too, as soon as `enough(elements)`; else after 30 s.
_FIND = """new Promise((resolve) => {
  const find = (root, found) => {
    for (const element of root.querySelectorAll("*")) {
      if (element.matches("%s")) found.push(element);
      if (element.shadowRoot) find(element.shadowRoot, found);
    }
    return found;
  };
  const started = Date.now();
  const look = () => {
    const found = find(document, []);
    if ((%s)(found) || Date.now() - started > 30000) {
      resolve(found.map(%s));
    } else {
      setTimeout(look, 100);
    }
  };
  look();
})"""


def _train(folder, start, stop, above):
    """A loss of 1 / step + above, and a sound every 10 steps."""
    log = TrainingLog(folder, start)
    time_s = np.arange(RATE_HZ // 2) / RATE_HZ
    sound = 0.5 * np.sin(2 * np.pi * 440 * time_s).astype("f4")
    for step in range(start + 1, stop + 1):
        scalars = {"loss": 1 / step + above, "gradient_norm": 2.0, "skipped": 0}
        scalars = {name: tf.constant(float(v)) for name, v in scalars.items()}
        log.add(step, scalars, {})
        if step % 10 == 0:
            log.flush(step, {"uniformity": -1.5})
            with log.writer.as_default():
                tf.summary.scalar("speed/examples_per_second", 64, step)
                tag = "views/clip_1/first"
                shown_sound.show(tag, IMAGE, sound, RATE_HZ, step)
    log.close()


TAGS = {
    "losses/loss",
    "optimizer/gradient_norm",
    "optimizer/skipped",
    "embedding/uniformity",
    "speed/examples_per_second",
}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    _train(run, 0, 60, above=0)
    _train(run, 30, 50, above=10)
    with serve(run) as url:
        deadline = time.monotonic() + 60
        while not ask(url, "audio/tags") and time.monotonic() < deadline:
            time.sleep(0.2)
        yield url


@pytest.fixture(scope="module")
def browser(url):
    with HeadlessBrowser() as browser:
        yield browser
        # It needs nothing but this machine.
        assert browser.requests
        assert all(asked.startswith(url) for asked in browser.requests)


def test_scalars_are_named_and_each_step_is_there_once(url):
    assert set(ask(url, "scalars/tags")["tensorboard"]) == TAGS
    query = {"run": "tensorboard", "tag": "losses/loss"}
    points = ask(url, "scalars/scalars", **query)
    assert [step for _, step, _ in points] == [10, 20, 30, 40, 50]
    values = [value for _, _, value in points]
    assert max(values[:3]) < 1 and min(values[3:]) > 10


def _open(browser, url, tab):
    browser.open("about:blank")  # Else only the fragment changes.
    browser.open(f"{url}#{tab}")


def test_curves_are_drawn_in_groups(url, browser):
    _open(browser, url, "timeseries")
    # Those of the first two groups, which are open.
    drawn = "(found) => found.filter((c) => c.innerText).length > 1"
    text = "(card) => card.textContent"
    cards = browser.evaluate(_FIND % ("card-view", drawn, text))
    assert "embedding/uniformity" in cards[0]
    assert "losses/loss" in cards[1]
    text = browser.evaluate("document.body.innerText")
    for group in ("optimizer", "speed", "views"):
        assert group in text


def test_pictures_are_painted(url, browser):
    _open(browser, url, "images")
    loaded = "(found) => found.some((image) => image.naturalWidth)"
    size = "(image) => [image.naturalWidth, image.naturalHeight]"
    sizes = browser.evaluate(_FIND % ("img", loaded, size))
    assert sizes == [[29, 13]]


def test_sounds_can_be_played(url, browser):
    _open(browser, url, "audio")
    ready = "(found) => found.some((audio) => audio.readyState > 0)"
    length = "(audio) => audio.duration"
    durations = browser.evaluate(_FIND % ("audio", ready, length))
    assert durations == [pytest.approx(0.5, abs=0.001)]
