"""The report, rendered by a browser, says what was booked and why; the spreadsheet says the same.

python -m bench.prove_5.report [--keep FOLDER]
"""

import argparse
import asyncio
import io
import re
import shutil
import struct
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from openpyxl import load_workbook

from bench.prove_1.proof import Proof
from bench.prove_5.ground import MERCHANT, OWNER, Ground, ground

DAYS = 12
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


async def _days(made: Ground) -> int:
    """Some days of a warehouse: corrections, losses that are small and one that is not, goods that are locked."""
    numbers = [f"KRUKA-{n:02}" for n in range(1, 31)]
    await made.articles(numbers, 100)
    run = 0
    for day in range(DAYS):
        lost = numbers[day]
        await made.stock({lost: 100 - (day % 4 + 1)})
        cause = {"code": "DMG", "name": "Damaged"}
        goods = {"goodsOwnerId": OWNER, "articleNumber": numbers[day + 12]}
        await made.control("POST", "adjust", goods | {"numberOfItems": "-2", "cause": cause})
        if day == DAYS - 2:
            await made.stock({"KRUKA-30": 40})
        if day == DAYS - 1:
            await made.control("POST", "lock-for-sale", goods | {"numberOfItems": "8"})
        run, _, _ = await made.run(timedelta(hours=24))
    return run


async def prove(small: bool = False, keep: Path | None = None) -> Proof:
    """Point 5."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return Proof("5", "the report, rendered", "no browser here", (f"none of {', '.join(BROWSERS)} is installed",))
    short: list[str] = []
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        place = keep or Path(folder)
        async with ground(None, None, folder=str(place), most_percent_of_stock_value=50) as made:
            run = await _days(made)
            booked = await made.read(
                "select what, article_number, quantity, value, account from erp.reconciliation_booking where run_no = :r", r=run
            )
            [waiting] = await made.read("select article_number, quantity, why from erp.settlement where state = 'waiting'")
        page = next(place.glob(f"*-run-{run}.html"))
        shown = await _rendered(browser, page, Path(folder) / "page.png")
        words = re.sub(r"<[^>]+>", " ", shown)
        for row in booked:
            for cell in (row.article_number, f"{row.quantity.normalize():f}", f"{row.value:.2f}", str(row.account)):
                if cell not in words:
                    short.append(f"the page does not say {cell} of what was booked")
        for cell in (MERCHANT, waiting.article_number, waiting.why, "explained share", "for a person", "after this run"):
            if cell not in words:
                short.append(f"the page does not say {cell!r}")
        bars = shown.count("<rect") - 1
        if bars != 2 * DAYS:
            short.append(f"{bars} bars for {DAYS} days")
        width, height = struct.unpack(">II", (Path(folder) / "page.png").read_bytes()[16:24])
        if width < 1000 or height < 1000:
            short.append(f"the picture is {width} x {height}")
        book = load_workbook(io.BytesIO(next(place.glob(f"*-run-{run}.xlsx")).read_bytes()))
        if book["Booked"].max_row - 3 != len(booked) or len(book["Thirty days"]._charts) != 1:
            short.append("the spreadsheet does not hold what was booked, or its picture")
        if keep:
            shutil.copy(Path(folder) / "page.png", place / "page.png")
    figure = f"{len(booked)} bookings, {DAYS} days in the picture, {len(words)} characters shown by {Path(browser).name}"
    return Proof("5", "the report, rendered", figure, tuple(short[:10]))


async def _rendered(browser: str, page: Path, picture: Path) -> str:
    """The page as the browser holds it, and a picture of it."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,2400"]
    for extra in ([f"--screenshot={picture}"], ["--dump-dom"]):
        process = await asyncio.create_subprocess_exec(
            browser, *flags, *extra, page.as_uri(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        out, _ = await asyncio.wait_for(process.communicate(), 90)
    return out.decode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="a folder for the files and the picture")
    proof = asyncio.run(prove(keep=parser.parse_args().keep))
    print(proof.line())
    return 0 if proof.ok else 1


if __name__ == "__main__":
    sys.exit(main())
