/* A false libnvidia-ml.so.1 for tests: a stand-in, nothing of it is NVIDIA's. Built with gcc at test time.
 *
 * -DFIRST=n           the number in the first one's UUID
 * -DGPUS=n            how many GPUs it answers for
 * -DINIT=n            what nvmlInit answers: 9 driver not loaded, 18 library mismatch
 * -DLOST=i            GPU i fell off the bus: every question about it answers 15
 * -DHANG=1            nvmlDeviceGetUUID never comes back
 * -DPENDING=i         GPU i has rows to be remapped
 * A function that is not here is one that an older driver lacks: pynvml then says FunctionNotFound.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef GPUS
#define GPUS 8
#endif
#ifndef INIT
#define INIT 0
#endif
#ifndef LOST
#define LOST -1
#endif
#ifndef FIRST
#define FIRST 0
#endif
#ifndef HANG
#define HANG 0
#endif
#ifndef PENDING
#define PENDING -1
#endif

typedef struct gpu { int index; } *device;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct {
    char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32];
} pci;

static struct gpu gpus[64];

static int lost(device d) { return d->index == LOST ? 15 : 0; }

int nvmlInitWithFlags(unsigned flags) { return INIT; }
int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { return 0; }

const char *nvmlErrorString(int code) {
    switch (code) {
    case 9: return "Driver Not Loaded";
    case 15: return "GPU is lost";
    case 18: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}

int nvmlSystemGetDriverVersion(char *text, unsigned size) { snprintf(text, size, "550.54.15"); return 0; }
int nvmlSystemGetNVMLVersion(char *text, unsigned size) { snprintf(text, size, "12.550.54.15"); return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12040; return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = GPUS; return 0; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *d) {
    if (index >= GPUS) return 2;
    gpus[index].index = index;
    *d = &gpus[index];
    return 0;
}

int nvmlDeviceGetUUID(device d, char *text, unsigned size) {
    while (HANG) pause();
    snprintf(text, size, "GPU-%08x-0000-0000-0000-000000000000", FIRST + d->index);
    return lost(d);
}
int nvmlDeviceGetName(device d, char *text, unsigned size) { snprintf(text, size, "Stand-in"); return lost(d); }
int nvmlDeviceGetSerial(device d, char *text, unsigned size) { snprintf(text, size, "%d", 100 + d->index); return lost(d); }
int nvmlDeviceGetMinorNumber(device d, unsigned *n) { *n = d->index; return lost(d); }
int nvmlDeviceGetPciInfo_v3(device d, pci *p) {
    memset(p, 0, sizeof *p);
    snprintf(p->bus_id, sizeof p->bus_id, "00000000:%02X:00.0", 0x10 + d->index);
    return lost(d);
}
int nvmlDeviceGetMemoryInfo(device d, memory *m) {
    m->total = 80ULL << 30; m->free = 79ULL << 30; m->used = 1ULL << 30;
    return lost(d);
}
int nvmlDeviceGetPersistenceMode(device d, unsigned *mode) { *mode = 1; return lost(d); }
int nvmlDeviceGetEccMode(device d, unsigned *current, unsigned *pending) { *current = *pending = 1; return lost(d); }
int nvmlDeviceGetMigMode(device d, unsigned *current, unsigned *pending) { *current = *pending = 0; return lost(d); }
int nvmlDeviceGetMaxMigDeviceCount(device d, unsigned *count) { *count = 0; return lost(d); }
int nvmlDeviceGetComputeMode(device d, unsigned *mode) { *mode = 0; return lost(d); }
int nvmlDeviceGetCudaComputeCapability(device d, int *major, int *minor) { *major = 9; *minor = 0; return lost(d); }
int nvmlDeviceGetRemappedRows(device d, unsigned *c, unsigned *u, unsigned *pending, unsigned *failure) {
    *c = *u = *failure = 0; *pending = d->index == PENDING;
    return lost(d);
}
int nvmlDeviceGetNvLinkState(device d, unsigned link, unsigned *state) {
    if (link >= 2) return 2;
    *state = 1;
    return lost(d);
}
