"""Makes a picture of a report, such as the README's. Needs Chromium.

From the root of the repository:

  python -m tests.evaluate.pages.report_screenshot report.html picture.png \\
      --parts=top:560,separation:690,map:700

stacks the named sections of the page ("top" is its head), each cut at that
many pixels. At most 256 colors keep the file small.
"""

import argparse
import io
import pathlib

import numpy as np
from PIL import Image

from tests.evaluate.pages.headless_browser import HeadlessBrowser

# Where a section starts; the bar with links would otherwise lie over it.
_TOP_OF = """(() => {
  document.querySelector(".sections").style.position = "static";
  const part = document.getElementById("%s") ?? document.body;
  return part.getBoundingClientRect().top + scrollY;
})()"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--parts", default="top:1500", help="section:height,..")
    parser.add_argument("--width", type=int, default=1200)
    args = parser.parse_args()
    pictures = []
    with HeadlessBrowser(args.width, 900) as browser:
        browser.open(args.page)
        for part in args.parts.split(","):
            name, height = part.split(":")
            top = browser.evaluate(_TOP_OF % name)
            clip = {"x": 0, "y": top, "width": args.width}
            png = browser.screenshot({**clip, "height": int(height)})
            pictures.append(Image.open(io.BytesIO(png)).convert("RGB"))
    stacked = Image.fromarray(np.vstack(pictures))
    stacked.quantize(256).save(args.picture, optimize=True)
    print(f"{args.picture}: {args.picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
