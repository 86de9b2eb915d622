// The reference medium's inverse on symbols, from the 1-D tables of spectral.py.
//
// Defined by the compiler's options: REAL, the type of the work; THREADS, the threads of
// a block; MEAN, whether the dilatation is that of the mean of a voxel (bbar).

typedef REAL real;

struct __align__(2 * sizeof(real)) Complex {
    real re, im;
};

__device__ inline Complex operator+(Complex a, Complex b)
{
    return {a.re + b.re, a.im + b.im};
}

__device__ inline Complex operator-(Complex a, Complex b)
{
    return {a.re - b.re, a.im - b.im};
}

__device__ inline Complex operator*(real a, Complex b) { return {a * b.re, a * b.im}; }

__device__ inline Complex operator*(Complex a, Complex b)
{
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

__device__ inline Complex conj(Complex a) { return {a.re, -a.im}; }

// Real part of conj(a) b.
__device__ inline real product(Complex a, Complex b) { return a.re * b.re + a.im * b.im; }

// S, B, M and G of one frequency along one axis.
struct Symbol {
    real S, B, M;
    Complex G;
};

__device__ inline Symbol symbol(const real *__restrict__ table, int n, int i)
{
    return {table[i], table[n + i], table[4 * n + i],
            {table[2 * n + i], table[3 * n + i]}};
}

// f <- factor A^-1 f on the half spectrum (3, nx, ny, nz).
//
// tx, ty, tz (5, n): S, B, Re G, Im G and M of each axis. weights (nz): multiplicity of a
// frequency. sums (blocks): of weights f . result.
extern "C" __global__ void __launch_bounds__(THREADS)
    inverse(Complex *__restrict__ f, int nx, int ny, int nz, int cx, int cy, int cz,
            const real *__restrict__ tx, const real *__restrict__ ty,
            const real *__restrict__ tz, const real *__restrict__ weights, real lame,
            real mu, real factor, double *__restrict__ sums)
{
    __shared__ double memory[THREADS];
    const unsigned size = (unsigned)nx * ny * nz;
    const unsigned step = gridDim.x * THREADS;
    double total = 0;
    for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < size; i += step) {
        const int z = i % nz, y = i / nz % ny, x = i / nz / ny;
        const Symbol X = symbol(tx, nx, x), Y = symbol(ty, ny, y), Z = symbol(tz, nz, z);
        const real SX = X.S * Y.B * Z.B, SY = X.B * Y.S * Z.B, SZ = X.B * Y.B * Z.S;
        const real trace = (lame + 4 * mu) * (SX + SY + SZ);
        // scaled by its trace, so that single precision holds the determinant
        const real scale = trace > 0 ? 1 / trace : 0;
        const real m = scale * mu, q = scale * (MEAN ? mu / 3 : lame + mu);
        const real l = scale * (MEAN ? -2 * mu / 3 : lame);
        const real bulk = MEAN ? scale * (lame + 2 * mu / 3) : 0;
        const real k = m * (SX + SY + SZ);
        const real a = k + q * SX + bulk * X.S * Y.M * Z.M;
        const real d = k + q * SY + bulk * X.M * Y.S * Z.M;
        const real g = k + q * SZ + bulk * X.M * Y.M * Z.S;
        const Complex xy = X.G * conj(Y.G), xz = X.G * conj(Z.G), yz = Y.G * conj(Z.G);
        const Complex b = Z.B * (l * xy + m * conj(xy)) + bulk * Z.M * xy;
        const Complex e = Y.B * (l * xz + m * conj(xz)) + bulk * Y.M * xz;
        const Complex h = X.B * (l * yz + m * conj(yz)) + bulk * X.M * yz;
        const real m00 = d * g - product(h, h);
        const real m11 = a * g - product(e, e);
        const real m22 = a * d - product(b, b);
        const Complex m01 = e * conj(h) - g * b;
        const Complex m02 = b * h - d * e;
        const Complex m12 = e * conj(b) - a * h;
        const real determinant = a * m00 + product(m01, b) + product(m02, e);
        const real inverse = trace > 0 ? factor * scale / determinant : 0;
        Complex *px = f + (size_t)cx * size + i;
        Complex *py = f + (size_t)cy * size + i;
        Complex *pz = f + (size_t)cz * size + i;
        const Complex fx = *px, fy = *py, fz = *pz;
        const Complex ux = inverse * (m00 * fx + m01 * fy + m02 * fz);
        const Complex uy = inverse * (conj(m01) * fx + m11 * fy + m12 * fz);
        const Complex uz = inverse * (conj(m02) * fx + conj(m12) * fy + m22 * fz);
        total += weights[z] * (product(fx, ux) + product(fy, uy) + product(fz, uz));
        *px = ux;
        *py = uy;
        *pz = uz;
    }
    block_sum<1, THREADS>(&total, memory, sums + blockIdx.x, 1);
}
