// Strain, stress and energy density of a displacement, voxel by voxel.
//
// Defined by the compiler's options: THREADS, the threads of a block.

// strain_out, stress_out (6, nx, ny, nz): voxel averages, Mandel. energy (nx, ny, nz).
// eigenstrain (P, 6), Mandel.
extern "C" __global__ void __launch_bounds__(THREADS)
    fields(const real *__restrict__ u, const int *__restrict__ phase,
           const real *__restrict__ table, const real *__restrict__ eigenstrain,
           real *__restrict__ strain_out, real *__restrict__ stress_out,
           real *__restrict__ energy, int nx, int ny, int nz, int cx, int cy, int cz,
           real gx, real gy, real gz, real w, real E0, real E1, real E2, real E3,
           real E4, real E5)
{
    const Scheme scheme = {{gx, gy, gz}, w};
    const real E[6] = {E0, E1, E2, E3, E4, E5};
    const int axis[3] = {cx, cy, cz};
    const size_t area = (size_t)ny * nz, size = nx * area;
    const Components axes = components(cx, cy, cz, size);
    const size_t voxel = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (voxel >= size) return;
    const int z = voxel % nz, y = voxel / nz % ny, x = voxel / area;
    const int z1 = (z + 1) % nz, y0 = y * nz, y1 = (y + 1) % ny * nz;
    const int place[4] = {y0 + z, y0 + z1, y1 + z, y1 + z1};
    const Plane below = sums(load(u + x * area, axes, place), scheme);
    const Plane above = sums(load(u + (x + 1) % nx * area, axes, place), scheme);
    Modes modes = between(below, above, w);
    const real *C = table + ROW * phase[voxel];
    const real *e0 = eigenstrain + 6 * phase[voxel];
    real e[6], s[6], work = 0;
    stress(C, scheme, modes, E, 1, e, s);
    if (FULL) work = hourglass(C + 27, scheme, modes);
    SMALL(i, 6) {
        const int m = i < 3 ? axis[i] : 3 + axis[i - 3];
        const real mandel = i < 3 ? real(1) : real(1.4142135623730951);
        const real strain = (E[i] + e[i]) / mandel, sig = s[i] * mandel;
        strain_out[m * size + voxel] = strain;
        stress_out[m * size + voxel] = sig;
        work += sig * (strain - e0[m]);
    }
    energy[voxel] = work / 2;
}
