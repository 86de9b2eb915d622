// D* C D u fused over voxels.
//
// Defined by the compiler's options: RESULT, the type of the forces; TILE_Y and TILE_Z,
// the threads of a block; RESIDENT, the blocks that share a multiprocessor's registers.

// Forces on the nodes (y, z), (y, z + 1), (y + 1, z), (y + 1, z + 1).
__device__ inline void corners(const Plane &f, int c, real w, real *force)
{
    const real lower = f.ss[c] - f.ds[c], upper = w * f.ss[c] + f.ds[c];
    const real dd = FULL ? f.dd[c] : 0;
    const real lower_d = f.sd[c] - dd, upper_d = w * f.sd[c] + dd;
    force[0] = lower - lower_d;
    force[1] = w * lower + lower_d;
    force[2] = upper - upper_d;
    force[3] = w * upper + upper_d;
}

__device__ inline void add(Plane &a, const Plane &b)
{
    SMALL(c, 3) {
        a.ss[c] += b.ss[c];
        a.ds[c] += b.ds[c];
        a.sd[c] += b.sd[c];
        if (FULL) a.dd[c] += b.dd[c];
    }
}

// out <- D* s of a tile of nodes in y and z, through `planes` planes along x.
//
// A thread takes a voxel of each plane, the first of each row and column of threads
// those below the tile, and then the node at its lower corner: forces on the three
// other nodes of the plane pass through shared memory. Each block begins with the
// plane before its first. Tiles overlap by one, and threads past the grid's end work
// on voxels of its beginning, for nothing.
//
// sums (7, blocks): the six stresses and u . out, added up over the voxels of a block.
extern "C" __global__ void __launch_bounds__(TILE_Y *TILE_Z, RESIDENT)
    apply(const real *__restrict__ u, const int *__restrict__ phase,
          const real *__restrict__ table, int total, RESULT *__restrict__ out,
          double *__restrict__ sum, int nx, int ny, int nz, int planes, int cx, int cy,
          int cz, real gx, real gy, real gz, real w, real E0, real E1, real E2, real E3,
          real E4, real E5)
{
    const int THREADS = TILE_Y * TILE_Z;
    // two sets of nine values to pass on, in turn: one barrier a plane is enough
    __shared__ double memory[18 * THREADS * sizeof(real) / sizeof(double)];
    real *sets = reinterpret_cast<real *>(memory);

    const Scheme scheme = {{gx, gy, gz}, w};
    const real E[6] = {E0, E1, E2, E3, E4, E5};
    const size_t area = (size_t)ny * nz;
    const Components axes = components(cx, cy, cz, nx * area);

    const int thread = threadIdx.y * TILE_Z + threadIdx.x;
    const int y = blockIdx.y * (TILE_Y - 1) + threadIdx.y - 1;
    const int z = blockIdx.x * (TILE_Z - 1) + threadIdx.x - 1;
    const bool inside = threadIdx.y > 0 && threadIdx.x > 0 && y < ny && z < nz;
    const int y0 = (y + ny) % ny * nz, y1 = (y + 1) % ny * nz;
    const int z0 = (z + nz) % nz, z1 = (z + 1) % nz;
    const int place[4] = {y0 + z0, y0 + z1, y1 + z0, y1 + z1};

    const int first = blockIdx.z * planes, count = min(planes, nx - first);
    int x = (first + nx - 1) % nx;
    Plane below = sums(load(u + x * area, axes, place), scheme), waiting = {};
    real totals[7] = {};
    for (int n = -1; n < count; ++n) {
        const int next = x + 1 < nx ? x + 1 : 0;
        const Plane above = sums(load(u + next * area, axes, place), scheme);
        const real *C = table + ROW * phase[x * area + place[0]];
        Modes modes = between(below, above, w);
        real e[6], s[6], work = 0;
        stress(C, scheme, modes, E, total, e, s);
        if (FULL) work = hourglass(C + 27, scheme, modes);
        Plane lower, upper;
        forces(scheme, s, modes, lower, upper);
        if (n >= 0) {
            // before the barrier, so that s and e need not outlast it
            SMALL(i, 6) totals[i] += s[i];
            SMALL(i, 6) work += s[i] * e[i];
            totals[6] += work;
            add(lower, waiting);
            real *set = sets + (n % 2 * 9 * THREADS + thread), force[3][4];
            SMALL(c, 3) {
                corners(lower, c, w, force[c]);
                SMALL(k, 3) set[(3 * c + k) * THREADS] = force[c][k + 1];
            }
            __syncthreads();
            if (inside) {
                SMALL(c, 3) {
                    const real *passed = set + 3 * c * THREADS;
                    out[axes.start[c] + x * area + place[0]] =
                        (force[c][0] + passed[-1]) +
                        (passed[THREADS - TILE_Z] + passed[2 * THREADS - TILE_Z - 1]);
                }
            }
        }
        waiting = upper;
        below = above;
        x = next;
    }
    double values[7];
    SMALL(i, 7) values[i] = inside ? totals[i] : real(0);
    const int blocks = gridDim.x * gridDim.y * gridDim.z;
    const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    block_sum<7, TILE_Y * TILE_Z>(values, memory, sum + block, blocks);
}
