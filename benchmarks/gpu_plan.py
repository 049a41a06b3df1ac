"""Planning and simulating a training step of Llama 3 405B on 10,240 GPUs: CPU seconds and memory.

python -m benchmarks.gpu_plan            the plan given: program and simulation
python -m benchmarks.gpu_plan --search   the plan found from scratch, and what the runners-up lose
"""

import argparse
import resource
import time

from wsc.backends.gpu_cluster.clusters import cluster_named
from wsc.backends.gpu_cluster.plan.training import Wish, chosen_facts, plan_training
from wsc.backends.gpu_cluster.simulate.run import simulate_program
from wsc.backends.gpu_cluster.text import parse_program, print_program
from wsc.backends.gpu_cluster.transformer.shape import Parallelism, TransformerShape
from wsc.backends.gpu_cluster.transformer.training import training_program
from wsc.backends.gpu_cluster.verify import verify

# Grattafiori et al., arXiv 2407.21783, Table 3: the model.
SHAPE = TransformerShape(
    "llama-3-405b", 126, 16384, 53248, 128, 8, 128256, 8192, gated=True, bias=False, rotary=True, tied=False
)
PLAN = Parallelism(
    data=80, tensor=8, pipeline=16, virtual=8, schedule="interleaved", shard=2, global_batch=1280
)
CLUSTER = "h100x10240"


def given() -> None:
    began = time.process_time()
    cluster = cluster_named(CLUSTER)
    program = training_program(SHAPE, PLAN, cluster)
    verify(program)
    written = time.process_time()
    trace = simulate_program(program, cluster)
    simulated = time.process_time()
    text = print_program(program)
    assert parse_program(text) == program
    print(f"step of {SHAPE.name} on {CLUSTER}: {trace.seconds:.3f} s, {len(trace.ranks)} kinds of ranks")
    print(
        f"program {written - began:.2f} s, simulation {simulated - written:.2f} s of CPU time; {memory():.2f} GiB"
    )
    print(f"text of the program: {len(text):,} bytes, {text.count(chr(10)):,} lines")


def searched() -> None:
    began = time.process_time()
    chosen = plan_training(SHAPE, cluster_named(CLUSTER), Wish(PLAN.global_batch))
    print(f"planned in {time.process_time() - began:.1f} s of CPU time; {memory():.2f} GiB")
    for name, value in chosen_facts(chosen):
        print(f"{name}: {value}")


def memory() -> float:
    """GiB that the process held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--search", action="store_true", help="find the plan from scratch")
    if options.parse_args().search:
        searched()
    else:
        given()
