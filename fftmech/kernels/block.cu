// Sums over a thread block, in an order that does not depend on scheduling.

// Adds up COUNT numbers of each of the SIZE threads of a block; `memory` holds COUNT SIZE of them
// in shared memory, and the sums go to out[0], out[stride], ...
template <int COUNT, int SIZE>
__device__ inline void block_sum(const double *values, double *memory, double *out,
                                 int stride)
{
    const int thread = threadIdx.y * blockDim.x + threadIdx.x;
    // `memory` may still be read in another role
    __syncthreads();
#pragma unroll
    for (int n = 0; n < COUNT; ++n) memory[n * SIZE + thread] = values[n];
    for (int half = SIZE / 2; half > 0; half /= 2) {
        __syncthreads();
        if (thread < half) {
#pragma unroll
            for (int n = 0; n < COUNT; ++n)
                memory[n * SIZE + thread] += memory[n * SIZE + thread + half];
        }
    }
    if (thread == 0) {
#pragma unroll
        for (int n = 0; n < COUNT; ++n) out[n * stride] = memory[n * SIZE];
    }
}
