/* A stand-in for NVIDIA's driver, libcuda.so.1, with which the real cuda-python runs without a GPU: memory of the GPU is
   the host's, and work is done at once. What needs a current context fails without one, as in the real driver. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, OUT_OF_MEMORY = 2, INVALID_CONTEXT = 201, NOT_FOUND = 500 };
enum { MAJOR = 75, MINOR = 76, MEMORY = 1 << 30 };

static int depth; /* of the stack of contexts; tests use one thread at a time */
static int live;  /* what was allocated or made, and not freed */
static char context;

#define NEEDS_CONTEXT                                                                                                  \
    if (depth == 0) return INVALID_CONTEXT

static int init(unsigned flags) { return SUCCESS; }
static int driver_version(int *version) { return *version = 13020, SUCCESS; }
static int device_count(int *count) { return *count = 1, SUCCESS; }
static int device(int *found, int number) { return *found = number, SUCCESS; }
static int device_name(char *name, int length, int number) { return strncpy(name, "Stand-in", length), SUCCESS; }
static int total_memory(size_t *bytes, int number) { return *bytes = MEMORY, SUCCESS; }

static int attribute(int *value, int which, int number) {
    return *value = which == MAJOR ? 8 : which == MINOR ? 9 : -1, SUCCESS;
}

static int retain(void **retained, int number) { return *retained = &context, SUCCESS; }
static int push(void *pushed) { return pushed == &context ? (++depth, SUCCESS) : INVALID_CONTEXT; }
static int pop(void **popped) {
    NEEDS_CONTEXT;
    return *popped = &context, --depth, SUCCESS;
}

static int synchronize_context(void) {
    NEEDS_CONTEXT;
    return SUCCESS;
}

static int allocate(void **address, size_t size) {
    NEEDS_CONTEXT;
    if (size > MEMORY) return OUT_OF_MEMORY;
    return *address = malloc(size), ++live, SUCCESS;
}

static int allocate_host(void **address, size_t size, unsigned flags) { return allocate(address, size); }
static int create_stream(void **stream, unsigned flags) { return allocate(stream, 1); }

static int release(void *address) {
    NEEDS_CONTEXT;
    return free(address), --live, SUCCESS;
}

static int synchronize(void *stream) { return synchronize_context(); }

static int copy(void *to, const void *from, size_t size) {
    NEEDS_CONTEXT;
    return memcpy(to, from, size), SUCCESS;
}

static int copy_on_stream(void *to, const void *from, size_t size, void *stream) { return copy(to, from, size); }

static int error_string(int error, const char **words) {
    *words = error == OUT_OF_MEMORY ? "out of memory" : "invalid device context";
    return SUCCESS;
}

static const struct {
    const char *name;
    void *function;
} FUNCTIONS[] = {
    {"cuInit", init},
    {"cuDriverGetVersion", driver_version},
    {"cuDeviceGetCount", device_count},
    {"cuDeviceGet", device},
    {"cuDeviceGetName", device_name},
    {"cuDeviceTotalMem", total_memory},
    {"cuDeviceGetAttribute", attribute},
    {"cuDevicePrimaryCtxRetain", retain},
    {"cuCtxPushCurrent", push},
    {"cuCtxPopCurrent", pop},
    {"cuCtxSynchronize", synchronize_context},
    {"cuMemAlloc", allocate},
    {"cuMemFree", release},
    {"cuMemHostAlloc", allocate_host},
    {"cuMemFreeHost", release},
    {"cuStreamCreate", create_stream},
    {"cuStreamDestroy", release},
    {"cuStreamQuery", synchronize},
    {"cuStreamSynchronize", synchronize},
    {"cuMemcpyHtoDAsync", copy_on_stream},
    {"cuMemcpyDtoHAsync", copy_on_stream},
    {"cuMemcpyHtoD", copy},
    {"cuMemcpyDtoH", copy},
    {"cuGetErrorString", error_string},
};

/* cuda-python finds all others by this one. */
int cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags, int *status) {
    *function = NULL;
    for (size_t number = 0; number < sizeof FUNCTIONS / sizeof *FUNCTIONS; ++number)
        if (strcmp(name, FUNCTIONS[number].name) == 0) *function = FUNCTIONS[number].function;
    if (strcmp(name, "cuGetProcAddress") == 0) *function = cuGetProcAddress_v2;
    return *function ? SUCCESS : NOT_FOUND;
}

/* For tests. */
int double_live(void) { return live; }
int double_depth(void) { return depth; }
