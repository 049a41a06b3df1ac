"""Small models, written in the text form of graphs."""

from collections.abc import Callable

from tests.compiler.graphs import model
from wsc.compiler.ir.model import Model


def mlp(rows: int = 4, wide: int = 16) -> Model:
    return model(
        f"%x = input(index=0) : f32[{rows},8]",
        f"%w1 = parameter(key='up.weight') : f32[{wide},8]",
        f"%b1 = parameter(key='up.bias') : f32[1,{wide}]",
        f"%w2 = parameter(key='down.weight') : f32[8,{wide}]",
        f'%up = contract(equation=\'ak,nk->an\') %x %w1 : f32[{rows},{wide}] at "mlp.py":7 in "up"',
        f"%biased = elementwise(fn='add', scalars=(None, None)) %up %b1 : f32[{rows},{wide}]",
        f"%act = elementwise(fn='gelu') %biased : f32[{rows},{wide}]",
        f'%down = contract(equation=\'ak,nk->an\') %act %w2 : f32[{rows},8] at "mlp.py":9 in "down"',
        "return %down",
    )


def attention_block(batch: int = 1, rows: int = 6, heads: int = 2) -> Model:
    """Norm, grouped queries, causal attention, projection, residual; width 8."""
    b, s, h = batch, rows, heads
    d = 8 // h
    return model(
        f"%x = input(index=0) : f32[{b},{s},8]",
        "%g = parameter(key='norm.weight') : f32[1,1,8]",
        "%wq = parameter(key='q.weight') : f32[8,8]",
        f"%wk = parameter(key='k.weight') : f32[{d},8]",
        f"%wv = parameter(key='v.weight') : f32[{d},8]",
        "%wo = parameter(key='o.weight') : f32[8,8]",
        f"%n = norm(form='rms', dims=(2,), eps=1e-05) %x : f32[{b},{s},8]",
        f"%y = elementwise(fn='mul', scalars=(None, None)) %n %g : f32[{b},{s},8]",
        f"%q = contract(equation='bsk,nk->bsn') %y %wq : f32[{b},{s},8]",
        f"%k = contract(equation='bsk,nk->bsn') %y %wk : f32[{b},{s},{d}]",
        f"%v = contract(equation='bsk,nk->bsn') %y %wv : f32[{b},{s},{d}]",
        f"%q4 = reshape(shape=({b},{s},{h},{d})) %q : f32[{b},{s},{h},{d}]",
        f"%k4 = reshape(shape=({b},{s},1,{d})) %k : f32[{b},{s},1,{d}]",
        f"%v4 = reshape(shape=({b},{s},1,{d})) %v : f32[{b},{s},1,{d}]",
        f"%qh = permute(order=(0,2,1,3)) %q4 : f32[{b},{h},{s},{d}]",
        f"%kh = permute(order=(0,2,1,3)) %k4 : f32[{b},1,{s},{d}]",
        f"%vh = permute(order=(0,2,1,3)) %v4 : f32[{b},1,{s},{d}]",
        f"%a = attention(scale=0.5, causal=True) %qh %kh %vh : f32[{b},{h},{s},{d}]",
        f"%ah = permute(order=(0,2,1,3)) %a : f32[{b},{s},{h},{d}]",
        f"%ar = reshape(shape=({b},{s},8)) %ah : f32[{b},{s},8]",
        f"%o = contract(equation='bsk,nk->bsn') %ar %wo : f32[{b},{s},8]",
        f"%r = elementwise(fn='add', scalars=(None, None)) %x %o : f32[{b},{s},8]",
        "return %r",
    )


def layers(count: int, rows: int = 32) -> Model:
    """Equal layers with a residual around each, then a norm."""
    lines = [f"%x = input(index=0) : f32[{rows},8]"]
    value = "x"
    for i in range(count):
        lines += [
            f"%w{i} = parameter(key='{i}.w') : f32[12,8]",
            f"%v{i} = parameter(key='{i}.v') : f32[8,12]",
            f"%up{i} = contract(equation='ak,nk->an') %{value} %w{i} : f32[{rows},12]",
            f"%act{i} = elementwise(fn='silu') %up{i} : f32[{rows},12]",
            f"%down{i} = contract(equation='ak,nk->an') %act{i} %v{i} : f32[{rows},8]",
            f"%sum{i} = elementwise(fn='add', scalars=(None, None)) %{value} %down{i} : f32[{rows},8]",
        ]
        value = f"sum{i}"
    lines.append(f"%norm = norm(form='layer', dims=(1,), eps=1e-05) %{value} : f32[{rows},8]")
    return model(*lines, "return %norm")


def convolutions() -> Model:
    """A residual block of convolutions, pooling, a head of one linear layer."""
    return model(
        "%x = input(index=0) : f32[2,3,9,10]",
        "%w1 = parameter(key='1.weight') : f32[4,3,3,3]",
        "%w2 = parameter(key='2.weight') : f32[4,4,3,3]",
        "%wd = parameter(key='depth.weight') : f32[4,3,2]",
        "%wh = parameter(key='head.weight') : f32[5,4]",
        "%c1 = contract(equation='nchw,ocrs->nohw', windows=(('h','r',1,1,1,1),('w','s',1,1,1,1))) %x %w1"
        " : f32[2,4,9,10]",
        "%a1 = elementwise(fn='relu') %c1 : f32[2,4,9,10]",
        "%c2 = contract(equation='nchw,ocrs->nohw', windows=(('h','r',1,2,2,2),('w','s',1,2,2,2))) %a1 %w2"
        " : f32[2,4,9,10]",
        "%r = elementwise(fn='add', scalars=(None, None)) %c2 %a1 : f32[2,4,9,10]",
        "%p = pool(fn='max', windows=((2,3,2,1,1,1),(3,2,2,1,0,0))) %r : f32[2,4,5,5]",
        "%d = contract(equation='nchw,crs->nchw', windows=(('h','r',2,1,1,0),('w','s',1,1,0,1))) %p %wd"
        " : f32[2,4,2,5]",
        "%m = reduce(fn='mean', dims=(2,3)) %d : f32[2,4]",
        "%y = contract(equation='ak,nk->an') %m %wh : f32[2,5]",
        "%s = softmax(dim=1, log=True) %y : f32[2,5]",
        "return %s",
    )


def decoder_step() -> Model:
    """A token's embedding, a cache that is updated and returned, attention over it with a mask that arrives."""
    return model(
        "%token = input(index=0) : i64[2,1]",
        "%place = input(index=1) : i64[1]",
        "%cache = input(index=2) : f32[2,5,6]",
        "%mask = input(index=3) : bool[1,1,5]",
        "%table = parameter(key='table') : f32[23,6]",
        "%wh = parameter(key='head') : f32[23,6]",
        "%e = gather(dim=0, batch=0) %table %token : f32[2,1,6]",
        "%new = update(dim=1, batch=0) %cache %place %e : f32[2,5,6]",
        "%a = attention(scale=0.4) %e %new %new %mask : f32[2,1,6]",
        "%h = elementwise(fn='add', scalars=(None, None)) %e %a : f32[2,1,6]",
        "%logits = contract(equation='bsk,nk->bsn') %h %wh : f32[2,1,23]",
        "%best = topk(k=3, dim=2, largest=True, part='indices') %logits : i64[2,1,3]",
        "return %best %new %logits",
    )


def many_readers() -> Model:
    """A value that is returned twice, read by three kernels, and multiplied by itself."""
    return model(
        "%x = input(index=0) : f32[6,7]",
        "%w = parameter(key='w') : f32[7,7]",
        "%y = contract(equation='ak,nk->an') %x %w : f32[6,7]",
        "%square = elementwise(fn='mul', scalars=(None, None)) %y %y : f32[6,7]",
        "%gram = contract(equation='ak,bk->ab') %y %y : f32[6,6]",
        "%p = softmax(dim=1) %y : f32[6,7]",
        "%z = elementwise(fn='add', scalars=(None, None)) %p %square : f32[6,7]",
        "return %y %z %gram %y",
    )


def passed_through() -> Model:
    """Outputs that are an input, a weight, views of both, and one of them twice."""
    return model(
        "%x = input(index=0) : f32[3,4]",
        "%keep = input(index=1) : bool[3,4]",
        "%w = parameter(key='w') : f32[5,2]",
        "%xt = permute(order=(1,0)) %x : f32[4,3]",
        "%wt = permute(order=(1,0)) %w : f32[2,5]",
        "%row = slice(dim=0, start=1, stop=2) %wt : f32[1,5]",
        "%y = elementwise(fn='select', scalars=(None, None, 0.0)) %keep %x : f32[3,4]",
        "return %x %w %xt %wt %row %y %keep %xt",
    )


def weights_alone() -> Model:
    """A kernel that nothing streams into, beside one that something does."""
    return model(
        "%x = input(index=0) : f32[3]",
        "%w = parameter(key='w') : f32[5,3]",
        "%v = parameter(key='v') : f32[3,4]",
        "%wv = contract(equation='ak,kn->an') %w %v : f32[5,4]",
        "%y = elementwise(fn='neg') %x : f32[3]",
        "return %wv %y",
        absent=(),
    )


def scalars() -> Model:
    """Tensors of rank 0, in, between and out."""
    return model(
        "%x = input(index=0) : f32[]",
        "%y = input(index=1) : f32[7]",
        "%w = parameter(key='w') : f32[]",
        "%xw = elementwise(fn='mul', scalars=(None, None)) %x %w : f32[]",
        "%dot = contract(equation='k,k->') %y %y : f32[]",
        "%sum = elementwise(fn='add', scalars=(None, None)) %xw %dot : f32[]",
        "%one = reshape(shape=(1,)) %sum : f32[1]",
        "%all = elementwise(fn='mul', scalars=(None, None)) %one %y : f32[7]",
        "return %sum %all %dot",
    )


def grouped_rows() -> Model:
    """Chunks along an axis that also walks a weight and a mask."""
    return model(
        "%x = input(index=0) : f32[64,3]",
        "%w = parameter(key='w') : f32[64,3,4]",
        "%m = parameter(key='m') : f32[64,1]",
        "%y = contract(equation='gk,gkn->gn') %x %w : f32[64,4]",
        "%z = elementwise(fn='mul', scalars=(None, None)) %y %m : f32[64,4]",
        "return %z",
    )


def integers() -> Model:
    """64-bit indices that are computed with, and truth values out."""
    return model(
        "%i = input(index=0) : i64[3,5]",
        "%table = parameter(key='t') : f32[9,4]",
        "%j = elementwise(fn='add', scalars=(None, 2)) %i : i64[3,5]",
        "%e = gather(dim=0, batch=0) %table %j : f32[3,5,4]",
        "%top = reduce(fn='max', dims=(1,), keep=True) %j : i64[3,1]",
        "%is = elementwise(fn='eq', scalars=(None, None)) %j %top : bool[3,5]",
        "%any = reduce(fn='any', dims=(0,)) %is : bool[5]",
        "%f = cast(dtype='f32') %j : f32[3,5]",
        "return %e %is %any %top %f",
    )


MODELS: dict[str, Callable[[], Model]] = {
    make.__name__: make
    for make in (
        mlp,
        attention_block,
        convolutions,
        decoder_step,
        many_readers,
        passed_through,
        weights_alone,
        scalars,
        grouped_rows,
        integers,
    )
} | {
    "mlp_in_chunks": lambda: mlp(rows=64),
    "block_in_chunks": lambda: attention_block(batch=2, rows=48),
    "layers": lambda: layers(3),
}
