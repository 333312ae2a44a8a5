/* A false libcuda.so.1 for tests: a stand-in, nothing of it is NVIDIA's. It "runs" the probe's kernel on the processor.
 *
 * -DFIRST=n   the number in the first one's UUID
 * -DGPUS=n    how many devices; -DINIT=n what cuInit answers (100 none, 802 fabric manager, 999 unknown)
 * -DWRONG=1   the kernel's result is wrong
 * -DRETAIN=n  what making a context answers (2 no memory, 46 in exclusive use); -DLOAD=n what loading PTX answers
 */
#include <stdlib.h>
#include <string.h>

#ifndef GPUS
#define GPUS 8
#endif
#ifndef INIT
#define INIT 0
#endif
#ifndef FIRST
#define FIRST 0
#endif
#ifndef WRONG
#define WRONG 0
#endif

#ifndef RETAIN
#define RETAIN 0
#endif
#ifndef LOAD
#define LOAD 218
#endif

typedef unsigned long long pointer;

int cuInit(unsigned flags) { return INIT; }
int cuGetErrorName(int code, const char **name) {
    switch (code) {
    case 2: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case 46: *name = "CUDA_ERROR_DEVICE_UNAVAILABLE"; break;
    case 100: *name = "CUDA_ERROR_NO_DEVICE"; break;
    case 218: *name = "CUDA_ERROR_INVALID_PTX"; break;
    case 221: *name = "CUDA_ERROR_JIT_COMPILER_NOT_FOUND"; break;
    case 802: *name = "CUDA_ERROR_SYSTEM_NOT_READY"; break;
    default: *name = "CUDA_ERROR_UNKNOWN";
    }
    return 0;
}
int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
int cuDeviceGetCount(int *count) { *count = GPUS; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return index < GPUS ? 0 : 101; }
int cuDeviceGetUuid(unsigned char *uuid, int device) { memset(uuid, 0, 16); uuid[3] = FIRST + device; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)1; return RETAIN; }
int cuDevicePrimaryCtxRelease(int device) { return 0; }
int cuCtxSetCurrent(void *context) { return 0; }
int cuCtxSynchronize(void) { return 0; }
/* As a new driver that has forgotten the oldest target: the program must try another. */
int cuModuleLoadData(void **module, const char *text) { *module = (void *)1; return strstr(text, "sm_50") ? LOAD : 0; }
int cuModuleGetFunction(void **function, void *module, const char *name) { *function = (void *)1; return strcmp(name, "triple"); }
int cuMemAlloc_v2(pointer *memory, size_t size) { *memory = (pointer)malloc(size); return 0; }
int cuMemFree_v2(pointer memory) { free((void *)memory); return 0; }
int cuMemcpyHtoD_v2(pointer to, const void *from, size_t size) { memcpy((void *)to, from, size); return 0; }
int cuMemcpyDtoH_v2(void *to, pointer from, size_t size) { memcpy(to, (void *)from, size); return 0; }
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **parameters, void **extra) {
    unsigned *array = (unsigned *)*(pointer *)parameters[0];
    for (unsigned i = 0; i < gx * bx; i++) array[i] = array[i] * 3 + 1 + WRONG;
    return 0;
}
