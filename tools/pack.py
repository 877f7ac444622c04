#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes one executable file of a Python program's files, the same for the same files.

Usage: pack.py OUTPUT FILE...
"""
import io
import os
import sys
import zipfile


def main():
    output, sources = sys.argv[1], sys.argv[2:]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for source in sorted(sources):
            with open(source, "rb") as file:
                # The time is fixed: what is packed does not depend on when.
                archive.writestr(zipfile.ZipInfo(os.path.basename(source)), file.read(), zipfile.ZIP_DEFLATED)
    with open(output, "wb") as file:
        file.write(b"#!/usr/bin/env python3\n" + packed.getvalue())
    os.chmod(output, 0o755)


main()
