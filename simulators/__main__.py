"""``python -m simulators --folder FOLDER --ready FILE``: all simulators of the demo, until they are told to end.

The folder remembers when the demo was started and on which port: at each further start the invented world has moved on
a little, so that an incremental import finds something.
"""

from __future__ import annotations

import argparse
import errno
import json
import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from simulators import academies, projectors, tribnia, voyages
from simulators.attention import Attention
from simulators.bepress import Bepress
from simulators.brobdingnag import brobdingnag, move_on
from simulators.diva import Diva
from simulators.dspace6 import DSpace6
from simulators.dspace7 import DSpace7
from simulators.elements import Elements, University
from simulators.eprints import EPrints
from simulators.esploro import Esploro
from simulators.haplo import Haplo
from simulators.pure import OLD_VERSIONS, Key, Pure
from simulators.repository import VirtualClock, World, stamp, wall_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.serving import Simulator

PORT = 8765


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept between two starts: when each was (UTC), and where the servers listened."""

    starts: tuple[str, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()

    @classmethod
    def read(cls, path: Path) -> Memory:
        """What the file says; nothing if there is none. Raises ``ValueError`` with a sentence if it is damaged."""
        if not path.exists():
            return cls()
        try:
            kept = json.loads(path.read_text("utf-8"))
            starts = tuple(stamp(datetime.fromisoformat(start)) for start in kept["starts"])
            return cls(starts, tuple((str(name), int(port)) for name, port in kept["ports"]))
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path} cannot be read ({error}). Delete it: the demo's world then begins anew."
            raise ValueError(message) from error


def world_of(starts: Sequence[str]) -> World:
    """The demo's repository as it is after these starts: it moved on a little at each but the first."""
    world = brobdingnag(wall_clock)
    for step, start in enumerate(starts[1:], 1):
        move_on(world, step, datetime.fromisoformat(start))
    return world


def university_of(starts: Sequence[str]) -> University:
    """The demo's Elements as it is after these starts; what did not change keeps its date."""
    clock = VirtualClock(datetime.fromisoformat(starts[0]))
    university = projectors.academy(clock)
    for step, start in enumerate(starts[1:], 1):
        clock.time = datetime.fromisoformat(start)
        projectors.moves_on(university, step)
    university.clock = wall_clock
    return university


def start(stack: ExitStack, simulator: Simulator, ports: Sequence[int]) -> int:
    """Serves on the first of the ports that is free, else on any; the port."""
    for port in (*ports, 0):
        try:
            url = stack.enter_context(simulator.serve(port))
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
        else:
            return int(url.split(":")[2].split("/")[0])
    raise AssertionError  # port 0 is always free


def write(path: Path, value: object) -> None:
    """Writes JSON so that a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    draft.replace(path)


def main() -> int:
    """Serves until SIGTERM or SIGINT; 2 if what the folder remembers cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m simulators", description="The simulators of the demo.")
    parser.add_argument("--folder", type=Path, required=True, help="where the demo remembers its world")
    parser.add_argument("--ready", type=Path, required=True, help="written when all answer: name and address of each")
    parser.add_argument("--port", type=int, default=PORT, help="the first port to try")
    options = parser.parse_args()

    kept = options.folder / "simulators.json"
    try:
        memory = Memory.read(kept)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    memory = replace(memory, starts=(*memory.starts, stamp(datetime.now(UTC))))

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    royal, college = tribnia.stores_of(memory.starts)
    simulators: dict[str, Simulator] = {
        "eprints": EPrints(world_of(memory.starts)),
        "bepress": Bepress(voyages.laputa(wall_clock)),
        "dspace6": DSpace6(voyages.balnibarbi(wall_clock)),
        "dspace7": DSpace7(voyages.luggnagg(wall_clock)),
        "diva": Diva(academies.blefuscu(wall_clock)),
        "haplo": Haplo(academies.houyhnhnm(wall_clock)),
        "esploro": Esploro(academies.glubbdubdrib(wall_clock)),
        "attention": Attention(wall_clock),
        "elements": Elements(university_of(memory.starts), login="gulliver", password="travels"),  # noqa: S106
        "pure": Pure(royal, versions=OLD_VERSIONS, keys={"key-of-tribnia": Key()}),
        "pure_new": Pure(college, versions={"new"}, keys={"key-of-langden": Key()}),
    }
    last = dict(memory.ports)
    with ExitStack() as stack:
        ports = {
            name: start(stack, simulator, [last.get(name, options.port + place)])
            for place, (name, simulator) in enumerate(simulators.items())
        }
        write(kept, asdict(replace(memory, ports=tuple(ports.items()))))
        write(options.ready, {name: simulator.url for name, simulator in simulators.items()})
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
