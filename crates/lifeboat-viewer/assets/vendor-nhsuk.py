#!/usr/bin/env python3
"""Makes the embedded copy of nhsuk-frontend's style sheet: nothing in it may reach outside.

Usage: vendor-nhsuk.py <dist/nhsuk/nhsuk-frontend-VERSION.min.css> <output.css>
"""

import re
import sys

source, target = sys.argv[1:]
with open(source, encoding="utf-8") as file:
    css = file.read()

css = re.sub(r"@font-face\{[^}]*\}", "", css)
css = css.replace("Frutiger W01,", "")
css = re.sub(r"url\([^)]*\)", "none", css)
css = re.sub(r"/\*# sourceMappingURL=.*?\*/", "", css)

for forbidden in ("url(", "http:", "https:", "@import", "//"):
    if forbidden in css:
        sys.exit(f"{forbidden!r} is still in the style sheet")

with open(target, "w", encoding="utf-8") as file:
    file.write(css.rstrip() + "\n")
