"""What a proof comes to: a figure, and whether it holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Proof:
    """One line of the report. `short` names what fell short; empty means that the point holds."""

    point: str
    title: str
    figure: str
    short: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.short

    def line(self) -> str:
        """One line for the report, and one more for each thing that fell short."""
        first = f"{self.point:>3}  {'ok   ' if self.ok else 'FAILS'}  {self.title}: {self.figure}"
        return "\n".join([first, *(f"           {text}" for text in self.short)])
