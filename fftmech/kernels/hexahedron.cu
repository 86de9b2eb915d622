// A voxel between eight nodes, in the modes of hexahedron.py.
//
// Defined by the compiler's options: REAL, the type of the work; FULL, whether modes with
// several differences count (hex8).

typedef REAL real;

// Row of the constants of a phase: upper triangle of C by rows, then C e0, then C of the
// modes with several differences.
#define ROW (FULL ? 48 : 27)

#define SMALL(i, n) _Pragma("unroll") for (int i = 0; i < (n); ++i)

// Place of C_ij in a row.
__device__ constexpr int at(int i, int j)
{
    return i <= j ? i * (11 - i) / 2 + j : j * (11 - j) / 2 + i;
}

// Component of a symmetric tensor, in Voigt's order.
__device__ constexpr int voigt(int i, int j) { return i == j ? i : 6 - i - j; }

// Sums (s) and differences (d) of four nodes of a plane along y and z, by component; or
// the forces that work on them.
struct Plane {
    real ss[3], ds[3], sd[3], dd[3];
};

// The modes of a voxel between two planes, along x, y and z.
struct Modes {
    real dss[3], sds[3], ssd[3], dds[3], dsd[3], sdd[3], ddd[3];
};

// Differences are scaled with g; w weighs the upper node in a sum.
struct Scheme {
    real g[3], w;
};

// Values of the nodes (y, z), (y, z + 1), (y + 1, z), (y + 1, z + 1) of a plane.
struct Nodes {
    real value[3][4];
};

// Which component of a vector belongs to each axis, as an offset.
struct Components {
    size_t start[3];
};

__device__ inline Components components(int cx, int cy, int cz, size_t size)
{
    return {{cx * size, cy * size, cz * size}};
}

__device__ inline Nodes load(const real *__restrict__ u, const Components &components,
                             const int *place)
{
    Nodes nodes;
    SMALL(c, 3) {
        const real *v = u + components.start[c];
        SMALL(k, 4) nodes.value[c][k] = v[place[k]];
    }
    return nodes;
}

__device__ inline Plane sums(const Nodes &nodes, const Scheme &scheme)
{
    const real w = scheme.w;
    Plane plane;
    SMALL(c, 3) {
        const real *v = nodes.value[c];
        const real s0 = v[0] + w * v[1], d0 = v[1] - v[0];
        const real s1 = v[2] + w * v[3], d1 = v[3] - v[2];
        plane.ss[c] = s0 + w * s1;
        plane.ds[c] = s1 - s0;
        plane.sd[c] = d0 + w * d1;
        plane.dd[c] = d1 - d0;
    }
    return plane;
}

__device__ inline Modes between(const Plane &lower, const Plane &upper, real w)
{
    Modes m;
    SMALL(c, 3) {
        m.dss[c] = upper.ss[c] - lower.ss[c];
        m.sds[c] = lower.ds[c] + w * upper.ds[c];
        m.ssd[c] = lower.sd[c] + w * upper.sd[c];
        if (FULL) {
            m.dds[c] = upper.ds[c] - lower.ds[c];
            m.dsd[c] = upper.sd[c] - lower.sd[c];
            m.sdd[c] = lower.dd[c] + upper.dd[c];
            m.ddd[c] = upper.dd[c] - lower.dd[c];
        }
    }
    return m;
}

// Strain with engineering shears of a gradient, given by columns.
__device__ inline void symmetrize(const real *x, const real *y, const real *z, real *e)
{
    e[0] = x[0];
    e[1] = y[1];
    e[2] = z[2];
    e[3] = y[2] + z[1];
    e[4] = x[2] + z[0];
    e[5] = x[1] + y[0];
}

// s = C e, where the derivative along axis SKIP is zero and its force not needed.
template <int SKIP> __device__ inline void law(const real *C, const real *e, real *s)
{
    SMALL(i, 6) s[i] = 0;
    SMALL(i, 6) {
        if (i == SKIP) continue;
        SMALL(j, 6) {
            if (j < i || j == SKIP) continue;
            const real value = C[at(i, j)];
            s[i] += value * e[j];
            if (j > i) s[j] += value * e[i];
        }
    }
}

// Forces of one term of the strain: x, y or z times gradients along the axes A and B.
template <int A, int B>
__device__ inline void term(const real *C, const Scheme &scheme, const real *mode_a,
                            const real *mode_b, real *force_a, real *force_b)
{
    real gradient[3][3] = {}, e[6], s[6];
    SMALL(c, 3) {
        gradient[A][c] = scheme.g[A] * mode_a[c];
        gradient[B][c] = scheme.g[B] * mode_b[c];
    }
    symmetrize(gradient[0], gradient[1], gradient[2], e);
    law<3 - A - B>(C, e, s);
    SMALL(c, 3) {
        force_a[c] += scheme.g[A] / 3 * s[voigt(A, c)];
        force_b[c] += scheme.g[B] / 3 * s[voigt(B, c)];
    }
}

// Forces of the modes with two and three differences; returns their work.
__device__ inline real hourglass(const real *C, const Scheme &scheme, Modes &m)
{
    real dds[3] = {}, dsd[3] = {}, sdd[3] = {}, ddd[3] = {}, work = 0;
    term<1, 2>(C, scheme, m.dds, m.dsd, dds, dsd);
    term<0, 2>(C, scheme, m.dds, m.sdd, dds, sdd);
    term<0, 1>(C, scheme, m.dsd, m.sdd, dsd, sdd);
    // the terms in yz, xz and xy have one gradient each
    SMALL(a, 3) {
        const real weight = scheme.g[a] * scheme.g[a] / 9;
        SMALL(i, 3) {
            real force = 0;
            SMALL(j, 3) force += C[at(voigt(a, i), voigt(a, j))] * m.ddd[j];
            ddd[i] += weight * force;
        }
    }
    SMALL(c, 3) {
        work += m.dds[c] * dds[c] + m.dsd[c] * dsd[c];
        work += m.sdd[c] * sdd[c] + m.ddd[c] * ddd[c];
        m.dds[c] = dds[c];
        m.dsd[c] = dsd[c];
        m.sdd[c] = sdd[c];
        m.ddd[c] = ddd[c];
    }
    return work;
}

// Strain without its mean, and stress, of the modes with one difference.
__device__ inline void stress(const real *C, const Scheme &scheme, const Modes &m,
                              const real *E, int total, real *e, real *s)
{
    real x[3], y[3], z[3], mean[6];
    SMALL(c, 3) {
        x[c] = scheme.g[0] * m.dss[c];
        y[c] = scheme.g[1] * m.sds[c];
        z[c] = scheme.g[2] * m.ssd[c];
    }
    symmetrize(x, y, z, e);
    SMALL(i, 6) mean[i] = E[i] + e[i];
    law<-1>(C, mean, s);
    if (total) SMALL(i, 6) s[i] -= C[21 + i];
}

// The forces of a voxel's modes on the planes below and above it.
__device__ inline void forces(const Scheme &scheme, const real *s, const Modes &m,
                              Plane &lower, Plane &upper)
{
    const real w = scheme.w;
    SMALL(c, 3) {
        const real x = scheme.g[0] * s[voigt(0, c)];
        const real y = scheme.g[1] * s[voigt(1, c)];
        const real z = scheme.g[2] * s[voigt(2, c)];
        lower.ss[c] = -x;
        lower.ds[c] = y;
        lower.sd[c] = z;
        upper.ss[c] = x;
        upper.ds[c] = w * y;
        upper.sd[c] = w * z;
        if (FULL) {
            lower.ds[c] -= m.dds[c];
            lower.sd[c] -= m.dsd[c];
            lower.dd[c] = m.sdd[c] - m.ddd[c];
            upper.ds[c] += m.dds[c];
            upper.sd[c] += m.dsd[c];
            upper.dd[c] = m.sdd[c] + m.ddd[c];
        }
    }
}
