"""What a person would complain about when looking at a page."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

# On 400 pixels; below this, text is hard to read.
MIN_FONT_PIXELS = 9
# A plot that was drawn covers more of its area with ink than this.
MIN_INK = 0.005

# Boxes are `[left, top, right, bottom]` in pixels of the page. Letters do not
# fill the top and bottom of their line box, so these are not counted.
_SCRIPT = """
const problems = [];
const root = document.documentElement;
const say = (...words) => problems.push(words.join(' '));
const name = e => e.textContent.trim().replace(/\\s+/g, ' ').slice(0, 40);
const box = (r, trim = 0) => [
  r.left + scrollX, r.top + scrollY + trim * r.height,
  r.right + scrollX, r.bottom + scrollY - trim * r.height];
const overlap = (a, b) =>
  Math.min(a[2], b[2]) - Math.max(a[0], b[0]) > 1 &&
  Math.min(a[3], b[3]) - Math.max(a[1], b[1]) > 1;
const inside = (a, b) =>
  a[0] >= b[0] - 1 && a[1] >= b[1] - 1 && a[2] <= b[2] + 1 && a[3] <= b[3] + 1;
const disjoint = (what, items) => items.forEach((a, i) =>
  items.slice(i + 1).forEach(b => {
    if (overlap(a.box, b.box)) say(what, 'overlap:', a.name, '|', b.name);
  }));

if (root.scrollWidth > root.clientWidth)
  say('page scrolls sideways:', root.scrollWidth, '>', root.clientWidth);

const blocks = [...document.querySelectorAll('figure, .card, h1, h2, header p,'
  + ' section > p')].map(e => ({name: name(e),
  box: box(e.getBoundingClientRect())}));
disjoint('blocks', blocks);
const sections = [...document.querySelectorAll('header, section')].map(
  e => ({name: name(e), box: box(e.getBoundingClientRect())}));
disjoint('sections', sections);

for (const figure of document.querySelectorAll('figure'))
  if (figure.querySelectorAll('svg').length != 1)
    say('no plot in figure:', name(figure));
for (const svg of document.querySelectorAll('svg')) {
  const frame = box(svg.getBoundingClientRect());
  const label = svg.getAttribute('aria-label') || '(no label)';
  if (frame[2] - frame[0] < 200 || frame[3] - frame[1] < 50)
    say('plot is too small:', label);
  if (!inside(frame, [0, 0, root.clientWidth, root.scrollHeight]))
    say('plot is cut off:', label);
  if (label == '(no label)') say('plot has no label');
  const texts = [...svg.querySelectorAll('text')].filter(
    t => t.textContent.trim());
  const boxes = texts.map(t => ({name: name(t),
    box: box(t.getBoundingClientRect(), 0.12)}));
  disjoint('texts of ' + label, boxes);
  texts.forEach((text, i) => {
    if (!inside(boxes[i].box, frame)) say('text is cut off:', name(text));
    const matrix = text.getScreenCTM();
    const size = parseFloat(getComputedStyle(text).fontSize) *
      Math.hypot(matrix.a, matrix.b);
    if (size < arguments[0]) say('text is tiny:', size, name(text));
  });
}

const words = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node; (node = walker.nextNode());) {
  const parent = node.parentElement;
  if (!node.textContent.trim() || parent.closest('svg, style')) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const card = parent.closest('td, th, .card, section, header');
  const frame = box((card || root).getBoundingClientRect());
  for (const rect of range.getClientRects()) {
    const item = {name: name(parent), box: box(rect, 0.12)};
    words.push(item);
    if (!inside(item.box, frame)) say('text leaves its box:', item.name);
  }
  const size = parseFloat(getComputedStyle(parent).fontSize);
  if (size < arguments[0]) say('text is tiny:', size, name(parent));
}
disjoint('words', words);
for (const e of document.querySelectorAll('body *:not(svg *)'))
  if (getComputedStyle(e).overflowX != 'visible' &&
      e.scrollWidth > e.clientWidth + 1)
    say('content is cut off:', name(e));

return {problems, height: root.scrollHeight,
  plots: [...document.querySelectorAll('svg')].map(
    e => box(e.getBoundingClientRect()))};
"""


def open_browser():
    """Returns a headless Chromium that records console and network."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip(
            "No Chromium: install Debian's packages chromium, chromium-driver "
            "and fonts-dejavu-core."
        )
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless=new",
        "--no-sandbox",  # Containers run as root.
        "--disable-dev-shm-usage",
        "--disable-background-networking",
    ):
        options.add_argument(flag)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    return webdriver.Chrome(options=options, service=Service(driver))


def find_problems(browser, path, width, screenshot):
    """Opens a page at a width, and returns what is wrong with it.

    Args:
        browser: From `open_browser`.
        path: A `.html` file.
        width: Of the window, in pixels.
        screenshot: Where to write a picture of the whole page.
    """
    browser.get_log("performance")  # Forgets what came before.
    browser.get_log("browser")
    _resize(browser, width, 900)
    browser.get(path.resolve().as_uri())
    found = browser.execute_script(_SCRIPT, MIN_FONT_PIXELS)
    problems = found["problems"]
    # As high as the page, so that the picture holds all of it.
    _resize(browser, width, found["height"])
    screenshot.write_bytes(browser.get_screenshot_as_png())
    pixels = np.array(Image.open(screenshot).convert("RGB")).astype(int)
    problems += _empty_plots(pixels, found["plots"])
    problems += [entry["message"] for entry in browser.get_log("browser")]
    problems += [
        f"fetches {url}"
        for url in _requested(browser)
        if url != path.resolve().as_uri()
    ]
    return problems


def _empty_plots(pixels, boxes):
    for box in boxes:
        left, top, right, bottom = (int(edge) for edge in box)
        plot = pixels[top:bottom, left:right].reshape(-1, 3)
        if not len(plot):
            yield f"plot at {box} is outside the picture"
            continue
        # Nothing is drawn in the corner.
        different = np.abs(plot - plot[0]).max(axis=1) > 16
        if different.mean() < MIN_INK:
            yield f"plot at {box} is empty"


def _resize(browser, width, height):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": False,
        },
    )


def _requested(browser):
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]
