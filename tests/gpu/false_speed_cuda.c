/* A false libcuda.so.1 for the speed tests: a stand-in, nothing of it is NVIDIA's. It computes nothing and keeps a clock
 * of its own, on which each launch takes as long as on an H200, or longer where it is told to.
 *
 * MEMORY, LINK, PEER   share of the healthy rate (1)      CLOCK   MHz of the multiprocessors (1980)
 * ODD      a multiprocessor that computes wrongly         WRONG   1: all compute wrongly
 * LAG      a multiprocessor that takes 1.5 times as long  BITS    units of memory with wrong bits
 * FAIL_<function>  what it answers                        HANG    a kernel that never ends; CRASH a kernel that kills
 * SLOW_LAUNCHES    so many launches of the memory are at MEMORY's share, later ones healthy
 * BUS      bits of the memory bus that the driver tells (6016)
 * FREE     GiB of free memory                             CAPABILITY, CUDA, DIRECT (0: no peer access)
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "false_speed.h"

typedef unsigned long long pointer;
enum { SMS = 6, THREADS = 256, HERE = 64 << 20 };

static int devices[64], count = -1, current;
static double now, pending;
static int hangs;

static int failing(const char *function, int device) {
    char name[64];
    snprintf(name, sizeof name, "FAIL_%s", function);
    return (int)option(name, device, 0);
}
#define MAY_FAIL do { int code = failing(__func__, current); if (code) return code; } while (0)

static void look(void) { /* CUDA_VISIBLE_DEVICES holds UUIDs as the false NVML gives them */
    count = 0;
    const char *text = getenv("CUDA_VISIBLE_DEVICES");
    while (text && (text = strstr(text, "GPU-")) && count < 64) {
        devices[count++] = (int)strtol(text + 4, NULL, 16);
        text += 4;
    }
    current = count ? devices[0] : 0;
}

int cuInit(unsigned flags) { look(); MAY_FAIL; return count ? 0 : 100; }
int cuGetErrorName(int code, const char **name) {
    static char text[64];
    snprintf(text, sizeof text, "CUDA_ERROR_%d", code);
    *name = text;
    return 0;
}
int cuDriverGetVersion(int *version) { *version = (int)option("CUDA", current, 13000); return 0; }
int cuDeviceGet(int *device, int index) { *device = devices[index]; return index < count ? 0 : 101; }
int cuDeviceGetName(char *name, int size, int device) { snprintf(name, size, "Stand-in"); return 0; }
int cuDeviceGetAttribute(int *value, int number, int device) {
    int capability = (int)option("CAPABILITY", device, 90);
    switch (number) {
    case 13: *value = 1980000; break;
    case 16: *value = SMS; break;
    case 32: *value = 1; break;
    case 36: *value = 3201000; break;
    case 37: *value = (int)option("BUS", device, 6016); break;
    case 75: *value = capability / 10; break;
    case 76: *value = capability % 10; break;
    default: return 1;
    }
    return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    current = device;
    MAY_FAIL;
    *context = (void *)(pointer)(device + 1);
    return 0;
}
int cuDevicePrimaryCtxRelease(int device) { return 0; }
int cuCtxSetCurrent(void *context) { current = (int)(pointer)context - 1; return 0; }
int cuCtxSynchronize(void) { MAY_FAIL; return 0; }

/* -- memory: what is larger than HERE is an address and nothing else */
int cuMemGetInfo_v2(size_t *free, size_t *total) {
    *total = 139ULL << 30;
    *free = (size_t)(option("FREE", current, 138) * (1 << 30));
    return 0;
}
int cuMemAlloc_v2(pointer *memory, size_t size) {
    MAY_FAIL;
    if (size > option("FREE", current, 138) * (1 << 30)) return 2;
    *memory = size <= HERE ? (pointer)calloc(1, size) : 1ULL << 60;
    return 0;
}
int cuMemHostAlloc(void **memory, size_t size, unsigned flags) { MAY_FAIL; *memory = malloc(size); return 0; }
int cuMemcpyHtoD_v2(pointer to, const void *from, size_t size) { MAY_FAIL; memcpy((void *)to, from, size); return 0; }
int cuMemcpyDtoH_v2(void *to, pointer from, size_t size) { MAY_FAIL; memcpy(to, (void *)from, size); return 0; }

static double bandwidth(void) {
    static int launches;
    int slow = launches++ < option("SLOW_LAUNCHES", current, 1e9);
    return 2 * 3201e6 * 6016 / 8 * (slow ? option("MEMORY", current, 1) : 1);
}
static void takes(double seconds) { now += seconds; pending += seconds; }

int cuMemcpyDtoDAsync_v2(pointer to, pointer from, size_t size, void *stream) {
    MAY_FAIL;
    takes(2 * size / (0.889 * bandwidth()));
    return 0;
}
static void through_link(size_t size) { takes(size / (55.5e9 * option("LINK", current, 1))); }
int cuMemcpyHtoDAsync_v2(pointer to, const void *from, size_t size, void *stream) { MAY_FAIL; through_link(size); return 0; }
int cuMemcpyDtoHAsync_v2(void *to, pointer from, size_t size, void *stream) { MAY_FAIL; through_link(size); return 0; }

/* -- GPU to GPU */
int cuDeviceCanAccessPeer(int *can, int one, int other) { *can = (int)option("DIRECT", one, 1); return 0; }
int cuCtxEnablePeerAccess(void *context, unsigned flags) { MAY_FAIL; return 0; }
int cuMemcpyPeerAsync(pointer to, void *there, pointer from, void *here, size_t size, void *stream) {
    MAY_FAIL;
    takes(size / (380e9 * option("PEER", current, 1)));
    return 0;
}

/* -- time */
int cuEventCreate(void **event, unsigned flags) { MAY_FAIL; *event = calloc(1, sizeof(double)); return 0; }
int cuEventRecord(void *event, void *stream) { *(double *)event = now; return 0; }
int cuEventSynchronize(void *event) {
    while (hangs) pause();
    if (pending > 0.2) usleep(30000); /* so that whoever looks meanwhile sees something */
    pending = 0;
    MAY_FAIL;
    return 0;
}
int cuEventElapsedTime(float *ms, void *start, void *end) { *ms = (float)((*(double *)end - *(double *)start) * 1e3); return 0; }

/* -- kernels */
static const struct kernel { const char *name; double operations; int blocks; double per_cycle; unsigned known; } kernels[] = {
    {"fma32", 512, 4, 127.0, 0xa30f443b}, {"fma64", 512, 4, 63.7, 0xc2265ff8},
    {"mma", 8192, 2, 1365, 0x7516e0cd}, {"wgmma", 65536, 1, 2047, 0xe5cdb40f},
};
static const char *names[] = {"fma32", "fma64", "mma", "wgmma", "fill", "check"};

int cuModuleLoadDataEx(void **module, const char *text, unsigned n, int *keys, void **values) {
    MAY_FAIL;
    if (strstr(text, "wgmma") && option("CAPABILITY", current, 90) != 90) return 218;
    *module = (void *)1;
    return 0;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
    MAY_FAIL;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name)) { *function = (void *)(pointer)(i + 1); return 0; }
    return 500;
}

static unsigned step(unsigned crc, unsigned byte) {
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    return crc;
}
/* The last word of a block of zeros that gives it this CRC-32. */
static unsigned closing(unsigned known) {
    static unsigned of, found;
    if (of == known) return found;
    of = known;
    unsigned crc = ~0u, last = ~known;
    for (int i = 0; i < 4 * (THREADS - 1); i++) crc = step(crc, 0);
    for (int bit = 0; bit < 32; bit++) last = last & 0x80000000 ? (last ^ 0xedb88320) << 1 | 1 : last << 1;
    return found = last ^ crc;
}

static void compute(const struct kernel *kernel, unsigned blocks, pointer out, pointer stat, unsigned loops) {
    double mhz = option("CLOCK", current, 1980);
    double cycles = kernel->operations / 2 * loops * THREADS * kernel->blocks / kernel->per_cycle;
    unsigned last = closing(kernel->known) ^ (unsigned)option("WRONG", current, 0);
    unsigned *words = (unsigned *)out;
    pointer *rows = (pointer *)stat;
    memset(words, 0, (size_t)4 * blocks * THREADS);
    for (unsigned block = 0; block < blocks; block++) {
        unsigned place = block % SMS;
        double own = cycles * (place == (unsigned)option("LAG", current, -1) ? 1.5 : 1);
        words[block * THREADS + THREADS - 1] = last ^ (place == (unsigned)option("ODD", current, -1) ? 2 : 0);
        pointer *row = rows + 8 * block;
        row[0] = 1000; row[1] = 1000000; row[2] = 1000000 + (pointer)(own / mhz * 1e3); row[3] = place; row[4] = 1000 + (pointer)own;
    }
    takes(cycles / (mhz * 1e6));
}

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **parameters, void **extra) {
    MAY_FAIL;
    unsigned number = (unsigned)(pointer)function - 1;
    const char *name = names[number], *hang = word("HANG", current), *crash = word("CRASH", current);
    if (hang && !strcmp(hang, name)) hangs = 1;
    if (crash && !strcmp(crash, name)) kill(getpid(), SIGKILL);
    if (number < 4) {
        compute(&kernels[number], gx, *(pointer *)parameters[0], *(pointer *)parameters[1], *(unsigned *)parameters[2]);
        return 0;
    }
    double bytes = 4096.0 * *(pointer *)parameters[1];
    takes(bytes / (bandwidth() * (number == 4 ? 0.975 : 0.953)));
    if (number == 5 && option("BITS", current, 0)) {
        pointer *result = (pointer *)*(pointer *)parameters[3];
        result[0] = (pointer)option("BITS", current, 0); result[1] = 77; result[2] = 0x42;
    }
    return 0;
}
