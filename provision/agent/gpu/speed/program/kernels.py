"""The kernels that every GPU since 2014 runs: fill and check of memory, and multiply-adds in registers.

Memory kernels take one block for each tile of 4 KiB, in the order of the addresses: any other shape that was tried
costs 4 to 20 % of the bandwidth.
"""

from .ptx import ARITHMETIC, REPEAT, START, STATE, THREADS, begin, checksum, entry, finish, header

TILE = 16 * THREADS
"""Bytes that a block of the memory kernels takes: 16 each thread."""
PAIRS = 8
TURNS = 16

_REGISTERS = (
    ("u32", "%t, %x, %e<4>, %cta, %ncta"),
    ("u32", "%v<4>"),
    ("u64", "%at, %to, %tile, %unit, %step, %off, %p0, %q0, %k0, %old"),
    ("pred", "%more, %bad"),
)


def memory():
    """`fill` and `check`: each 16 bytes hold a word that is mixed from their number and a seed, and what follows from
    it. `check` counts the units that differ, and keeps the number of the first and the bits that were wrong."""
    fill = [*_expected(), "add.u64 %q0, %to, %p0;", "st.global.v4.u32 [%q0], {%x, %e1, %e2, %e3};"]
    text = header("6.0", "sm_50")
    parameters = (("u64", "dst"), ("u64", "count"), ("u32", "seed"))
    text += entry("fill", parameters, _REGISTERS, ["mov.u64 %to, %dst;", *_tiles(fill, "to")])
    check = ["add.u64 %q0, %at, %p0;", "ld.global.v4.u32 {%v0, %v1, %v2, %v3}, [%q0];", *_expected()]
    check += ["xor.b32 %v0, %v0, %x;"]
    check += ["xor.b32 %v{0}, %v{0}, %e{0};".format(number) for number in (1, 2, 3)]
    check += ["or.b32 %v0, %v0, %v{};".format(number) for number in (1, 2, 3)]
    check += [
        "setp.ne.u32 %bad, %v0, 0;",
        "@%bad atom.global.add.u64 %old, [%result], 1;",
        "@%bad atom.global.min.u64 %old, [%result+8], %k0;",
        "@%bad cvt.u64.u32 %off, %v0;",
        "@%bad atom.global.or.b64 %old, [%result+16], %off;",
    ]
    parameters = (("u64", "src"), ("u64", "count"), ("u32", "seed"), ("u64", "result"))
    return text + entry("check", parameters, _REGISTERS, ["mov.u64 %at, %src;", *_tiles(check, "at", "result")])


def _tiles(inner, *pointers):
    """A loop over tiles; %k0 is a unit's number, %p0 its offset in bytes."""
    body = ["cvta.to.global.u64 %{0}, %{0};".format(pointer) for pointer in pointers]
    body += ["mov.u32 %t, %tid.x;", "mov.u32 %cta, %ctaid.x;", "mov.u32 %ncta, %nctaid.x;"]
    body += ["cvt.u64.u32 %tile, %cta;", "cvt.u64.u32 %step, %ncta;", "cvt.u64.u32 %unit, %t;"]
    body += ["setp.ge.u64 %more, %tile, %count;", "@%more bra END;", "LOOP:"]
    body += ["mad.lo.u64 %k0, %tile, {}, %unit;".format(THREADS), "shl.b64 %p0, %k0, 4;"]
    body += inner
    body += ["add.u64 %tile, %tile, %step;", "setp.lt.u64 %more, %tile, %count;", "@%more bra LOOP;", "END:"]
    return body


def _expected():
    """What a unit holds: a mixed word, the same with other bits, and the complements of both."""
    return [
        "cvt.u32.u64 %x, %k0;",
        "mad.lo.u32 %x, %x, 0x9E3779B1, %seed;",
        "shf.l.wrap.b32 %e1, %x, %x, 15;",
        "xor.b32 %e1, %e1, 0x5A5A5A5A;",
        "not.b32 %e2, %x;",
        "not.b32 %e3, %e1;",
    ]


def plain():
    """`fma32` and `fma64`."""
    return header("6.0", "sm_50") + _fma("fma32", "f32", "0f3C23D70A") + _fma("fma64", "f64", "0d3F847AE147AE147B")


def _fma(name, kind, value):
    """Points on circles, x += s y; y -= s x: all multiply-adds in registers, bounded, and never at rest."""
    registers = STATE + ((kind, "%x<{0}>, %y<{0}>, %s, %m".format(PAIRS)),)
    body = begin() + ["mov.{} %s, {};".format(kind, value), "neg.{} %m, %s;".format(kind)]
    for pair in range(PAIRS):
        body += [
            "mad.lo.u32 %h, %t, {}, {};".format(2 * pair + 3, pair * 977 + 1),
            "and.b32 %h, %h, 1023;",
            "cvt.rn.{0}.u32 %x{1}, %h;".format(kind, pair),
            "mov.{0} %y{1}, %s;".format(kind, pair),
        ]
    body += [*START, "LOOP:"]
    for _ in range(TURNS):
        body += ["fma.rn.{0} %x{1}, %y{1}, %s, %x{1};".format(kind, pair) for pair in range(PAIRS)]
        body += ["fma.rn.{0} %y{1}, %x{1}, %m, %y{1};".format(kind, pair) for pair in range(PAIRS)]
    words = ["%x{}".format(number) for number in range(PAIRS)] + ["%y{}".format(number) for number in range(PAIRS)]
    if kind == "f64":
        registers += (("b32", "%lo, %hi"), ("f64", "%all"))
        body += [*REPEAT, "mov.u32 %sum, 0;"]
        for word in words:
            body += ["mov.b64 {%lo, %hi}, " + word + ";"]
            body += ["mad.lo.u32 %sum, %sum, 16777619, %{};".format(half) for half in ("lo", "hi")]
    else:
        body += [*REPEAT, *checksum(words)]
    return entry(name, ARITHMETIC, registers, body + finish())
