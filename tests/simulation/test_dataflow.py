"""Tasks, stores, engines and lines, without a machine around them."""

from simpy import Environment

from wsc.simulation.dataflow import Engine, Line, Store, Task, Timing, Turn


class Logged(Task):
    """Notes when its runs start."""

    log: list[tuple[str, int]]
    name: str

    def run(self, now: int) -> None:
        self.log.append((self.name, now))
        super().run(now)


class Bench:
    """An engine with tasks that note when they start."""

    def __init__(self) -> None:
        self.env = Environment()
        self.engine = Engine(self.env)
        self.log: list[tuple[str, int]] = []

    def task(
        self, name: str, timing: Timing, turn: Turn | None = None, runs: int = 2, lines: int = 0
    ) -> Logged:
        task = Logged(self.engine, turn or Turn(), timing, [Line()] * lines, inputs=runs)
        task.log, task.name = self.log, name
        return task

    def run(self, *tasks: Task) -> list[tuple[str, int]]:
        for task in tasks:
            task.poke()
        self.env.run()
        return self.log


def test_a_task_runs_when_its_operand_is_there_and_not_a_cycle_before() -> None:
    bench = Bench()
    make = bench.task("make", Timing(occupancy=5, latency=9), runs=1)
    take = bench.task("take", Timing(3, 3), Turn(position=1, positions=2), runs=1)
    store = Store(copies=1)
    make.write(store)
    take.read(store, 1)
    assert bench.run(make, take) == [("make", 0), ("take", 9)]


def test_the_engine_serves_the_oldest_input_first_and_then_by_position() -> None:
    bench = Bench()
    late = bench.task("late", Timing(4, 4), Turn(position=1, positions=2))
    early = bench.task("early", Timing(3, 3), Turn(position=0, positions=2))
    assert bench.run(late, early) == [("early", 0), ("late", 3), ("early", 7), ("late", 10)]


def test_urgent_runs_go_before_all_others() -> None:
    bench = Bench()
    late = bench.task("late", Timing(4, 4), Turn(position=1, positions=2, urgent=True))
    early = bench.task("early", Timing(3, 3), Turn(position=0, positions=2))
    assert [name for name, _ in bench.run(early, late)] == ["late", "late", "early", "early"]


def test_a_store_of_one_copy_is_not_overwritten_before_it_is_read() -> None:
    for copies, second in ((1, 9), (2, 2)):
        bench = Bench()
        make = bench.task("make", Timing(2, 2))
        reader = Engine(bench.env)
        take = Logged(reader, Turn(), Timing(7, 7), inputs=2)
        take.log, take.name = bench.log, "take"
        store = Store(copies)
        make.write(store)
        take.read(store, 1)
        assert ("make", second) in bench.run(make, take)


def test_a_content_read_by_many_runs_stays_until_the_last() -> None:
    bench = Bench()
    once = bench.task("once", Timing(1, 1), Turn(runs=1, slots=4, positions=2))
    body = bench.task("body", Timing(2, 2), Turn(runs=3, first=1, slots=4, position=1, positions=2))
    store = Store(copies=1)
    once.write(store)
    body.read(store, 3)
    assert bench.run(once, body) == [
        ("once", 0), ("body", 1), ("body", 3), ("body", 5), ("once", 7), ("body", 8), ("body", 10), ("body", 12),
    ]  # fmt: skip


def test_a_result_nobody_reads_does_not_stop_its_writer() -> None:
    bench = Bench()
    make = bench.task("make", Timing(2, 2), runs=3)
    make.write(Store(copies=1))
    assert bench.run(make) == [("make", 0), ("make", 2), ("make", 4)]


def test_messages_that_meet_on_a_line_share_it() -> None:
    line = Line()
    assert line.share(0, 100) == 0
    assert line.share(10, 5) == 5  # word by word with the first: through after 10 instead of 5
    assert line.share(10, 0) == 0
    assert line.share(104, 50) == 1  # the first had 5 words more to wait, and still has one to go
    assert line.share(1000, 50) == 0


def test_a_task_whose_line_is_busy_leaves_its_engine_in_time_and_ends_late() -> None:
    bench = Bench()
    line = Line()
    move = Logged(bench.engine, Turn(), Timing(occupancy=2, latency=12, line_cycles=10), [line], inputs=2)
    move.log, move.name = bench.log, "move"
    take = bench.task("take", Timing(1, 1), Turn(position=1, positions=2))
    store = Store(copies=2)
    move.write(store)
    take.read(store, 1)
    assert bench.run(move) == [("move", 0), ("move", 2), ("take", 12), ("take", 22)]
