// Vector updates in one pass over memory.
//
// Defined by the compiler's options: REAL, the type of the first vector and of the work;
// OTHER, that of the second; THREADS, the threads of a block.

typedef REAL real;
typedef OTHER other;

#define FOR_EACH(i)                                                                     \
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;                        \
    if (i < size)

// v <- v + alpha p, then p <- z + beta p.
extern "C" __global__ void update_direction(real *__restrict__ v, real alpha,
                                            other *__restrict__ p, other beta,
                                            const other *__restrict__ z, size_t size)
{
    FOR_EACH(i)
    {
        v[i] += alpha * p[i];
        p[i] = z[i] + beta * p[i];
    }
}

// v <- v + alpha p, then p <- W z + beta p.
extern "C" __global__ void update_direction_weighted(real *__restrict__ v, real alpha,
                                         other *__restrict__ p, other beta,
                                         const other *__restrict__ z,
                                         const other *__restrict__ weights, size_t size)
{
    FOR_EACH(i)
    {
        v[i] += alpha * p[i];
        p[i] = weights[i] * z[i] + beta * p[i];
    }
}

// v <- v + alpha p.
extern "C" __global__ void add(real *__restrict__ v, real alpha,
                               const other *__restrict__ p, size_t size)
{
    FOR_EACH(i) v[i] += alpha * p[i];
}

// sums (blocks): of a b, in double precision.
extern "C" __global__ void dot(const real *__restrict__ a, const other *__restrict__ b,
                               double *__restrict__ sums, size_t size)
{
    __shared__ double memory[THREADS];
    double total = 0;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < size;
         i += (size_t)gridDim.x * THREADS)
        total += (double)a[i] * b[i];
    block_sum<1, THREADS>(&total, memory, sums + blockIdx.x, 1);
}
