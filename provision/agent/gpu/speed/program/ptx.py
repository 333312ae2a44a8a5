"""PTX text: what all kernels are made of. The driver compiles it, so that no CUDA toolkit is needed.

Each arithmetic kernel writes one checksum a thread, and of each block its first and last cycle, its first and last
nanosecond and its multiprocessor: 64 bytes a block (cycle, ns, ns, multiprocessor, cycle as 64-bit words).
"""

THREADS = 256
"""Of a block, in every kernel."""


def header(version, target):
    return ".version {}\n.target {}\n.address_size 64\n".format(version, target)


def entry(name, parameters, registers, body):
    """A kernel. `parameters` and `registers` are (type, names); a parameter is loaded into a register of its name."""
    given = ", ".join(".param .{} {}".format(kind, word) for kind, word in parameters)
    loads = ["ld.param.{} %{}, [{}];".format(kind, word, word) for kind, word in parameters]
    declared = [".reg .{} %{};".format(kind, word) for kind, word in parameters]
    declared += [".reg .{} {};".format(kind, words) for kind, words in registers]
    lines = "\n".join(declared + loads + body + ["ret;"])
    return ".visible .entry {}({})\n.maxntid {}, 1, 1\n{{\n{}\n}}\n".format(name, given, THREADS, lines)


# -- of the arithmetic kernels

ARITHMETIC = (("u64", "out"), ("u64", "stat"), ("u32", "loops"))
STATE = (
    ("u64", "%u0, %u1, %g0, %g1, %place"),
    ("u32", "%t, %cta, %sm, %n, %sum, %bits, %h, %wide"),
    ("pred", "%more, %first"),
)
START = ["mov.u64 %u0, %clock64;", "mov.u64 %g0, %globaltimer;"]
REPEAT = ["sub.u32 %n, %n, 1;", "setp.ne.u32 %more, %n, 0;", "@%more bra LOOP;"]


def begin():
    return [
        "cvta.to.global.u64 %out, %out;",
        "cvta.to.global.u64 %stat, %stat;",
        "mov.u32 %t, %tid.x;",
        "mov.u32 %n, %loops;",
    ]


def checksum(words):
    """Multiply and add: a checksum by xor over equal accumulators would have few values."""
    body = ["mov.u32 %sum, 0;"]
    for word in words:
        body += ["mov.b32 %bits, {};".format(word), "mad.lo.u32 %sum, %sum, 16777619, %bits;"]
    return body


def finish():
    return [
        "mov.u64 %u1, %clock64;",
        "mov.u64 %g1, %globaltimer;",
        "mov.u32 %cta, %ctaid.x;",
        "mov.u32 %t, %tid.x;",
        "mov.u32 %wide, %ntid.x;",
        "mad.lo.u32 %h, %cta, %wide, %t;",
        "mul.wide.u32 %place, %h, 4;",
        "add.u64 %place, %out, %place;",
        "st.global.u32 [%place], %sum;",
        "setp.ne.u32 %first, %t, 0;",
        "@%first bra DONE;",
        "mov.u32 %sm, %smid;",
        "mul.wide.u32 %place, %cta, 64;",
        "add.u64 %place, %stat, %place;",
        "st.global.u64 [%place], %u0;",
        "st.global.u64 [%place+32], %u1;",
        "st.global.u64 [%place+8], %g0;",
        "st.global.u64 [%place+16], %g1;",
        "cvt.u64.u32 %u1, %sm;",
        "st.global.u64 [%place+24], %u1;",
        "DONE:",
    ]
