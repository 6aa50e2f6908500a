"""Makes a picture of a run in TensorBoard, for the README. Needs Chromium.

From the root of the repository:

  python -m tests.train.tensorboard_screenshot RUN picture.png \\
      --parts=timeseries:700,images:400,audio:300 --tags="loss|mAP"

stacks tabs of TensorBoard, each cut at that many pixels. At most 256 colors
keep the file small.
"""

import argparse
import io
import pathlib
import time
import urllib.parse

from PIL import Image

from tests.evaluate.pages.headless_browser import HeadlessBrowser
from tests.train.tensorboard_server import ask, serve

# Height of the bar that all tabs have on top; only the first part shows it.
_BAR = 64
# Whatever is far below the window is not drawn.
_WINDOW = 2000

# Whole curves, without tables and without the settings.
_TIDY = """(async () => {
  const wait = () => new Promise((resolve) => setTimeout(resolve, 1000));
  for (const name of ["scalars-step-selector", "scalars-ignore-outliers"]) {
    const box = document.querySelector(`.${name} input`);
    if (box?.checked) box.click();
  }
  await wait();
  document.querySelector("[aria-label='Close side pane']")?.click();
  await wait();
})()"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument(
        "--parts", default="timeseries:800", help="tab:height,..."
    )
    parser.add_argument("--tags", default="", help="regex of curves to show")
    parser.add_argument("--width", type=int, default=1500)
    parser.add_argument(
        "--wait", type=float, default=10.0, help="seconds for a tab to be drawn"
    )
    args = parser.parse_args()
    parts = [part.split(":") for part in args.parts.split(",")]
    heights = [int(height) for _, height in parts]
    query = urllib.parse.urlencode({"smoothing": 0, "tagFilter": args.tags})
    picture = Image.new("RGB", (args.width, _BAR + sum(heights)))
    below = 0
    with (
        serve(args.run) as url,
        HeadlessBrowser(args.width, _WINDOW) as browser,
    ):
        while not ask(url, "scalars/tags"):
            time.sleep(0.5)
        for (tab, _), height in zip(parts, heights, strict=True):
            browser.open("about:blank")  # Else only the fragment changes.
            browser.open(f"{url}?{query}#{tab}")
            time.sleep(args.wait / 2)
            browser.evaluate(_TIDY)
            time.sleep(args.wait / 2)
            top = _BAR if below else 0
            place = {"x": 0, "y": top, "width": args.width}
            png = browser.screenshot({**place, "height": _BAR + height - top})
            part = Image.open(io.BytesIO(png))
            picture.paste(part, (0, below))
            below += part.height
    picture.quantize(256).save(args.picture, optimize=True)
    print(f"{args.picture}: {args.picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
