// CUDA's kernel language on the host: the threads of a block are fibers of one thread.
//
// A fiber runs until it ends or comes to a barrier; then the next one runs. The order is
// the caller's, so that a kernel that lacks a barrier gives results that depend on it.

#include <ucontext.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
#define __align__(size) __attribute__((aligned(size)))

using std::min;

struct Index {
    unsigned x, y, z;
};

static Index threadIdx, blockIdx, blockDim, gridDim;

namespace host {

struct Fiber {
    ucontext_t context;
    Index index;
    bool done;
};

const size_t STACK = 1 << 16;
static ucontext_t scheduler;
static Fiber *current;
static void (*run)(void *);
static void *work;

static void enter()
{
    run(work);
    current->done = true;
}

// Runs one block; false if some of its threads wait at a barrier that others never
// reach.
static bool block(std::vector<Fiber> &fibers, char *stacks, bool backwards)
{
    for (size_t i = 0; i < fibers.size(); ++i) {
        Fiber &fiber = fibers[i];
        fiber.done = false;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = stacks + i * STACK;
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = &scheduler;
        makecontext(&fiber.context, enter, 0);
    }
    for (;;) {
        size_t waiting = 0;
        for (size_t i = 0; i < fibers.size(); ++i) {
            current = &fibers[backwards ? fibers.size() - 1 - i : i];
            threadIdx = current->index;
            swapcontext(&scheduler, &current->context);
            waiting += !current->done;
        }
        if (waiting == 0) return true;
        if (waiting < fibers.size()) return false;
    }
}

static bool launch(const unsigned *grid, const unsigned *threads, bool backwards)
{
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {threads[0], threads[1], threads[2]};
    std::vector<Fiber> fibers;
    for (unsigned z = 0; z < threads[2]; ++z)
        for (unsigned y = 0; y < threads[1]; ++y)
            for (unsigned x = 0; x < threads[0]; ++x) {
                fibers.emplace_back();
                fibers.back().index = {x, y, z};
            }
    std::unique_ptr<char[]> stacks(new char[fibers.size() * STACK]);
    for (unsigned z = 0; z < grid[2]; ++z)
        for (unsigned y = 0; y < grid[1]; ++y)
            for (unsigned x = 0; x < grid[0]; ++x) {
                blockIdx = {x, y, z};
                if (!block(fibers, stacks.get(), backwards)) return false;
            }
    return true;
}

// A kernel with its arguments, which come as CUDA's driver takes them: one pointer to
// each.
template <class... A> struct Kernel {
    void (*function)(A...);
    void **arguments;

    template <size_t... I> void call(std::index_sequence<I...>)
    {
        function(*static_cast<A *>(arguments[I])...);
    }
    static void run(void *self)
    {
        static_cast<Kernel *>(self)->call(std::index_sequence_for<A...>());
    }
};

template <class... A>
bool start(void (*function)(A...), void **arguments, const unsigned *grid,
           const unsigned *threads, bool backwards)
{
    Kernel<A...> kernel = {function, arguments};
    run = Kernel<A...>::run;
    work = &kernel;
    return launch(grid, threads, backwards);
}

// A type as NumPy names it, kind and bytes; after "*" for a pointer.
template <class T> std::string name()
{
    typedef typename std::remove_cv<T>::type U;
    if (std::is_pointer<U>::value) return "*" + name<std::remove_pointer_t<U>>();
    const char kind = std::is_floating_point<U>::value ? 'f'
                      : !std::is_integral<U>::value    ? 'c'
                      : std::is_signed<U>::value       ? 'i'
                                                       : 'u';
    return kind + std::to_string(sizeof(U));
}

template <class... A> std::string names(void (*)(A...))
{
    std::string all;
    ((all += name<A>() + " "), ...);
    return all;
}

} // namespace host

inline void __syncthreads()
{
    host::Fiber *self = host::current;
    swapcontext(&self->context, &host::scheduler);
}
