"""Makes the README's picture of a report. Needs Chromium and Pillow.

  python tests/evaluate/report_screenshot.py report.html picture.png \\
      [--width=1200] [--height=1500] [--section=map] [--dark]

The picture has at most 256 colors, which keeps it below 300 kB.
"""

import argparse
import io
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from PIL import Image  # noqa: E402

from tests.evaluate.headless_browser import HeadlessBrowser  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--width", type=int, default=1200)
    parser.add_argument("--height", type=int, default=1500)
    parser.add_argument("--section", default="", help="id to start from")
    parser.add_argument("--dark", action="store_true")
    args = parser.parse_args()
    with HeadlessBrowser(args.width, args.height) as browser:
        browser.resize(args.width, args.height, args.dark)
        browser.open(args.page)
        top = 0
        if args.section:
            browser.evaluate(
                "document.querySelector('.sections').style.position='static'"
            )
            top = browser.evaluate(
                f"document.getElementById('{args.section}')"
                ".getBoundingClientRect().top + scrollY"
            )
        png = browser.screenshot(
            {"x": 0, "y": top, "width": args.width, "height": args.height}
        )
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256).save(args.picture, optimize=True)
    print(f"{args.picture}: {args.picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
