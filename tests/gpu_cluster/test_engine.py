"""The event kernel at its edges: who slows whom, and by how much."""

import pytest

from wsc.backends.gpu_cluster.simulate.engine import Engine, Gpu, Work

ARITHMETIC = Work(arithmetic=1.0)
NETWORK = Work(nic=1.0, sms=0.2, hbm=0.1, nic_load=1.0)


def ended(*starts: tuple[float, Work, tuple[Gpu, ...]]) -> list[float]:
    """When each activity ends, in the order given."""
    engine, ends = Engine(), [0.0] * len(starts)

    def begin(number: int) -> None:
        _, work, gpus = starts[number]
        engine.begin(work, gpus, lambda: ends.__setitem__(number, engine.now))

    for number, (when, _, _) in enumerate(starts):
        if when:
            engine.begin(Work(latency=when), (Gpu(),), lambda number=number: begin(number))  # type: ignore[misc]
        else:
            begin(number)
    engine.run()
    return ends


def test_alone_it_takes_what_it_takes() -> None:
    gpu = Gpu()
    assert ended((0, ARITHMETIC, (gpu,))) == [1.0]


def test_two_on_a_port_share_it() -> None:
    gpu = Gpu()
    assert ended((0, NETWORK, (gpu,)), (0, NETWORK, (gpu,))) == [2.0, 2.0]


def test_one_that_comes_later_shares_what_is_left() -> None:
    gpu = Gpu()
    assert ended((0, NETWORK, (gpu,)), (0.5, NETWORK, (gpu,))) == pytest.approx([1.5, 2.0])


def test_ports_of_different_gpus_do_not_meet() -> None:
    assert ended((0, NETWORK, (Gpu(),)), (0, NETWORK, (Gpu(),))) == [1.0, 1.0]


def test_a_collective_is_as_slow_as_at_its_busiest_gpu() -> None:
    busy, free = Gpu(), Gpu()
    ends = ended((0, Work(nic=4.0, nic_load=1.0), (busy,)), (0, NETWORK, (busy, free)))
    assert ends == pytest.approx([5.0, 2.0])


def test_kernels_give_up_the_sms_that_communication_takes() -> None:
    gpu = Gpu()
    ends = ended((0, Work(arithmetic=0.4), (gpu,)), (0, NETWORK, (gpu,)))
    assert ends == pytest.approx([0.5, 1.0])  # 0.4 at a rate of 0.8; communication is not slowed


def test_memory_bound_kernels_give_up_bandwidth() -> None:
    gpu = Gpu()
    assert ended((0, Work(memory=0.9), (gpu,)), (0, NETWORK, (gpu,)))[0] == pytest.approx(1.0)


def test_other_ports_do_not_slow() -> None:
    gpu = Gpu()
    assert ended((0, Work(nvlink=1.0, nvlink_load=1.0), (gpu,)), (0, NETWORK, (gpu,))) == [1.0, 1.0]


def test_a_slow_gpu_is_slow_at_kernels_alone() -> None:
    assert ended((0, ARITHMETIC, (Gpu(1.5),)), (0, NETWORK, (Gpu(1.5),))) == [1.5, 1.0]


def test_nothing_takes_no_time() -> None:
    assert ended((0, Work(), (Gpu(),))) == [0.0]
