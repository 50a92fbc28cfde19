// As much of CUDA as core/render/cuda/kernels.cu speaks, on a processor: one thread of a block
// after another. A block with barriers runs in fibers, each switched away from where it waits.
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static  // blocks run one after another
#define __launch_bounds__(threads)

using std::max;
using std::min;
struct Place { int x, y, z; };
struct ushort4 { unsigned short x, y, z, w; };
struct uchar4 { unsigned char x, y, z, w; };
struct float4 { float x, y, z, w; };
static Place blockIdx, blockDim, threadIdx;

static inline ushort4 make_ushort4(int x, int y, int z, int w) {
  return {(unsigned short)x, (unsigned short)y, (unsigned short)z, (unsigned short)w};
}
static inline uchar4 make_uchar4(int x, int y, int z, int w) {
  return {(unsigned char)x, (unsigned char)y, (unsigned char)z, (unsigned char)w};
}
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

static const int STACK = 1 << 16;
static ucontext_t scheduler;
static std::vector<ucontext_t> fibers;
static std::vector<char> stacks;
static std::vector<bool> ended;
static int counted, count_before;  // of the barrier that is being reached, and of the last one
static void (*body)(void *);
static void *body_data;

static void fiber() {
  int own = threadIdx.x;
  body(body_data);
  ended[own] = true;
}
static int __syncthreads_count(int predicate) {
  int own = threadIdx.x;
  counted += predicate != 0;
  swapcontext(&fibers[own], &scheduler);
  threadIdx.x = own;
  return count_before;
}
static void __syncthreads() { __syncthreads_count(0); }

static void block_in_fibers() {
  int threads = blockDim.x;
  fibers.resize(threads);
  stacks.resize((size_t)threads * STACK);
  ended.assign(threads, false);
  for (int t = 0; t < threads; t++) {
    getcontext(&fibers[t]);
    fibers[t].uc_stack.ss_sp = &stacks[(size_t)t * STACK];
    fibers[t].uc_stack.ss_size = STACK;
    fibers[t].uc_link = &scheduler;
    makecontext(&fibers[t], fiber, 0);
  }
  for (bool running = true; running;) {
    running = false;
    counted = 0;
    for (int t = 0; t < threads; t++) {
      if (ended[t]) continue;
      threadIdx.x = t;
      swapcontext(&scheduler, &fibers[t]);
      running |= !ended[t];
    }
    count_before = counted;
  }
}

template <typename... A, size_t... I>
static void call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
  kernel(*static_cast<A *>(arguments[I])...);
}
template <typename... A>
static void launch(void (*kernel)(A...), int columns, int rows, int threads, void **arguments,
                   bool barriers) {
  typedef std::tuple<void (*)(A...), void **> Data;
  static Data data;
  data = Data(kernel, arguments);
  blockDim = {threads, 1, 1};
  body_data = &data;
  body = [](void *given) {
    Data &own = *static_cast<Data *>(given);
    call(std::get<0>(own), std::get<1>(own), std::index_sequence_for<A...>());
  };
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < columns; x++) {
      blockIdx = {x, y, 0};
      if (barriers) {
        block_in_fibers();
      } else {
        for (int t = 0; t < threads; t++) {
          threadIdx = {t, 0, 0};
          body(body_data);
        }
      }
    }
}
template <typename... A>
static int arity(void (*)(A...)) {
  return sizeof...(A);
}
// A kernel as the tests call it: arguments as cuLaunchKernel takes them.
#define EMULATED(kernel, barriers)                                                            \
  extern "C" int arity_##kernel() { return arity(kernel); }                                   \
  extern "C" void launch_##kernel(int columns, int rows, int threads, void **arguments) {     \
    launch(kernel, columns, rows, threads, arguments, barriers);                              \
  }
