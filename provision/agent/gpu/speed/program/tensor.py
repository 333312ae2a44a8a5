"""The kernels of the tensor cores, in bfloat16 with sums in single precision: `mma` from capability 8.0 on, and
`wgmma` for exactly 9.0, where mma.sync reaches only two thirds of the tensor cores.

The second operand nearly undoes the first, so that the sums stay bounded however long a kernel runs.
"""

from .ptx import ARITHMETIC, REPEAT, START, STATE, begin, checksum, entry, finish, header

TILES_A_WARP = 8
MMA_TURNS = 4
STEPS = ((0, 1), (1, 1), (2, 1), (3, 1), (0, -1), (1, -1), (2, -1), (0, -1))
"""Which quarter of the operands, and its sign."""
_BFLOATS = ("and.b32 {0}, {0}, 0x807F807F;", "or.b32 {0}, {0}, 0x3F003F00;")
"""Makes of any word two numbers of 0.5 to 1, or their negatives."""


def mma():
    """Operands and sums in registers: eight products of 16 x 8 x 16 a warp, with two left operands in turn."""
    registers = STATE + (
        ("b32", "%a<4>, %d<4>, %b<{}>".format(2 * TILES_A_WARP)),
        ("f32", "%c<{}>".format(4 * TILES_A_WARP)),
    )
    body = begin()
    words = ["%a{}".format(number) for number in range(4)] + ["%b{}".format(n) for n in range(2 * TILES_A_WARP)]
    for number, word in enumerate(words):
        body += [
            "mad.lo.u32 {}, %t, 0x9E3779B1, {};".format(word, 0x1234567 * (number + 1) & 0x7FFFFFFF),
            "mul.lo.u32 {0}, {0}, 0x85EBCA6B;".format(word),
            "shf.l.wrap.b32 {0}, {0}, {0}, 13;".format(word),
        ]
        body += [line.format(word) for line in _BFLOATS]
    body += ["xor.b32 %d{0}, %a{0}, 0x80158015;".format(number) for number in range(4)]
    body += ["mov.f32 %c{}, 0f00000000;".format(number) for number in range(4 * TILES_A_WARP)]
    body += [*START, "LOOP:"]
    product = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {0}, {{{1}}}, {{%b{2}, %b{3}}}, {0};"
    for _ in range(MMA_TURNS):
        for left in "ad":
            first = ", ".join("%{}{}".format(left, number) for number in range(4))
            for tile in range(TILES_A_WARP):
                sums = "{%s}" % ", ".join("%c{}".format(4 * tile + number) for number in range(4))
                body.append(product.format(sums, first, 2 * tile, 2 * tile + 1))
    body += REPEAT + checksum("%c{}".format(number) for number in range(4 * TILES_A_WARP))
    return header("7.0", "sm_80") + entry("mma", ARITHMETIC, registers, body + finish())


def wgmma():
    """Two warpgroups a block, each 64 x 256 x 16; operands in 48 KiB of shared memory."""
    registers = STATE + (
        ("b64", "%da, %db, %ka<4>, %kb<4>"),
        ("u32", "%base, %word, %group, %i"),
        ("f32", "%c<128>"),
        ("pred", "%add"),
    )
    body = [".shared .align 1024 .b8 tile[49152];", *begin(), *_shared_operands()]
    for number in range(4):
        body += ["add.u64 %ka{0}, %da, {1};".format(number, 2 * number)]
        body += ["add.u64 %kb{0}, %db, {1};".format(number, 2 * number)]
    body += ["mov.f32 %c{}, 0f00000000;".format(number) for number in range(128)]
    body += ["setp.eq.u32 %add, 0, 0;", *START, "LOOP:", "wgmma.fence.sync.aligned;"]
    sums = ", ".join("%c{}".format(number) for number in range(128))
    product = "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {{{}}}, %ka{}, %kb{}, %add, {}, 1, 0, 0;"
    for _ in range(2):
        body += [product.format(sums, step, step, sign) for step, sign in STEPS]
    body += ["wgmma.commit_group.sync.aligned;", "wgmma.wait_group.sync.aligned 0;"]
    body += REPEAT + checksum("%c{}".format(number) for number in range(128))
    return header("8.0", "sm_90a") + entry("wgmma", ARITHMETIC, registers, body + finish())


def _shared_operands():
    """Fill the shared memory, and make the descriptors %da and %db: the address in units of 16 bytes, leading offset
    1, stride 1024 bytes, swizzle of 128 bytes."""
    body = ["mov.u32 %base, tile;", "shl.b32 %h, %t, 2;", "add.u32 %h, %base, %h;", "mov.u32 %i, 0;", "FILL:"]
    body += [
        "shl.b32 %word, %i, 8;",
        "add.u32 %word, %word, %t;",
        "mad.lo.u32 %word, %word, 0x9E3779B1, 0x2545F491;",
        "shf.l.wrap.b32 %bits, %word, %word, 16;",
        "xor.b32 %word, %word, %bits;",
        "mul.lo.u32 %word, %word, 0x85EBCA6B;",
        "shf.l.wrap.b32 %word, %word, %word, 13;",
    ]
    body += [line.format("%word") for line in _BFLOATS]
    body += [
        "st.shared.u32 [%h], %word;",
        "add.u32 %h, %h, 1024;",
        "add.u32 %i, %i, 1;",
        "setp.lt.u32 %more, %i, 48;",
        "@%more bra FILL;",
        "fence.proxy.async;",
        "bar.sync 0;",
        "shr.u32 %group, %t, 7;",
        "mad.lo.u32 %h, %group, 8192, %base;",
        "add.u32 %h, %h, 32768;",
    ]
    for descriptor, address in (("da", "h"), ("db", "base")):
        body += [
            "cvt.u64.u32 %{}, %{};".format(descriptor, address),
            "shr.u64 %{0}, %{0}, 4;".format(descriptor),
            "or.b64 %{0}, %{0}, 0x4000004000010000;".format(descriptor),
        ]
    return body
