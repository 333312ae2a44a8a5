/* A false libnvidia-ml.so.1 for the speed tests: a stand-in, nothing of it is NVIDIA's. GPU i is at 0000:1i:00.0. It
 * answers all that false_nvml.c does, and what is asked of a GPU while it is measured.
 *
 * PID      a process that uses the GPU                LATER_PID  one that comes while it is measured
 * REASONS  NVML's bits for a lowered clock            WATT, LIMIT, DEFAULT (watts), CELSIUS
 * WIDTH, GENERATION  of the PCIe link now (16, 5)     MEMORY_MHZ now (3201)      MIG 1: cut up
 * INIT     what nvmlInit answers                      LOST 1: the handle answers 15
 */
#define nvmlInit_v2 plain_init
#define nvmlDeviceGetMigMode plain_mig_mode
#include "false_nvml.c"
#undef nvmlInit_v2
#undef nvmlDeviceGetMigMode
#include "false_speed.h"

typedef struct { unsigned pid; unsigned long long memory; unsigned instance, compute; } process;

static int looks[64];

int nvmlInit_v2(void) { return (int)option("INIT", 0, INIT); }
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, device *d) {
    int index = (int)strtol(bus + 5, NULL, 16) - 0x10;
    return option("LOST", index, 0) ? 15 : nvmlDeviceGetHandleByIndex_v2((unsigned)index, d);
}
int nvmlDeviceGetMigMode(device d, unsigned *now, unsigned *then) { *now = *then = (unsigned)option("MIG", d->index, 0); return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(device d, unsigned *count, process *room) {
    unsigned n = 0;
    if (!room) return *count = option("PID", d->index, 0) != 0, *count ? 7 : 0;
    if (option("PID", d->index, 0)) room[n++].pid = (unsigned)option("PID", d->index, 0);
    if (looks[d->index]++) { /* by now the one that asks has a context of its own */
        room[n++].pid = (unsigned)getpid();
        if (option("LATER_PID", d->index, 0)) room[n++].pid = (unsigned)option("LATER_PID", d->index, 0);
    }
    *count = n;
    return 0;
}
int nvmlDeviceGetClockInfo(device d, unsigned kind, unsigned *mhz) {
    *mhz = kind == 2 ? (unsigned)option("MEMORY_MHZ", d->index, 3201) : (unsigned)option("CLOCK", d->index, 1980);
    return 0;
}
int nvmlDeviceGetMaxClockInfo(device d, unsigned kind, unsigned *mhz) { *mhz = kind == 2 ? 3201 : 1980; return 0; }
int nvmlDeviceGetPowerUsage(device d, unsigned *power) { *power = (unsigned)(1000 * option("WATT", d->index, 690)); return 0; }
int nvmlDeviceGetEnforcedPowerLimit(device d, unsigned *power) { *power = (unsigned)(1000 * option("LIMIT", d->index, 700)); return 0; }
int nvmlDeviceGetPowerManagementDefaultLimit(device d, unsigned *power) { *power = (unsigned)(1000 * option("DEFAULT", d->index, 700)); return 0; }
int nvmlDeviceGetTemperature(device d, unsigned sensor, unsigned *celsius) { *celsius = (unsigned)option("CELSIUS", d->index, 61); return 0; }
int nvmlDeviceGetCurrentClocksEventReasons(device d, unsigned long long *mask) {
    *mask = (unsigned long long)option("REASONS", d->index, 4);
    return 0;
}
int nvmlDeviceGetUtilizationRates(device d, unsigned *rates) { rates[0] = rates[1] = 0; return 0; }
int nvmlDeviceGetCurrPcieLinkGeneration(device d, unsigned *n) { *n = (unsigned)option("GENERATION", d->index, 5); return 0; }
int nvmlDeviceGetMaxPcieLinkGeneration(device d, unsigned *n) { *n = 5; return 0; }
int nvmlDeviceGetCurrPcieLinkWidth(device d, unsigned *n) { *n = (unsigned)option("WIDTH", d->index, 16); return 0; }
int nvmlDeviceGetMaxPcieLinkWidth(device d, unsigned *n) { *n = 16; return 0; }
int nvmlDeviceGetPcieReplayCounter(device d, unsigned *n) { *n = 0; return 0; }
