// Gaussians to pictures, frames in batches, by the official rules (docs/method.md §3.11).
//
//   project      one thread a Gaussian of a frame: its ellipse, its colour, the tiles it touches
//   list_pairs   one thread a Gaussian of a frame: a key (tile, depth) for each tile it touches
//   (torch)      sorts the keys
//   find_ranges  one thread a pair: where each tile's list begins and ends
//   blend        one block a tile, one thread a pixel: front to back, over the background
//   blend_deep   the same with depth
//
// The host passes whole numbers and pointers only: a Python float would arrive as a double.
// TILE and the limits of the rules are macros that the host prepends to this text, so that they are
// written once (rasteriser.py, projection.py). Nothing is included: NVRTC has no headers to find.
//
// Frame f's Gaussian n is row i = f * count + n of arrays per frame, or row n of arrays that all
// frames share (a bit of `shared`). A frame's view is VIEW floats: three rows of the matrix from the
// head to the camera (12), fx, fy, cx, cy, the camera's position (3), limits of x/z and y/z (left,
// right, top, bottom), factors of opacity and of colour.
#define PAIR_NONE 0x7fffffffffffffffLL

struct alignas(16) Ellipse {  // 48 bytes, three loads
  float x, y, a, b;             // centre in pixels; inverse covariance [[a, b], [b, c]]
  float c, opacity, red, green;
  float blue, faintest, depth, spare;
};

__device__ inline bool finite(float value) { return fabsf(value) <= 3.4e38f; }  // false for NaN

__device__ inline float positive(float value) { return value < 0.f ? 0.f : value; }  // keeps NaN

__device__ inline int clipped(float value, int most) {
  return (int)fminf(fmaxf(floorf(value), 0.f), (float)most);
}

// Real spherical harmonics as core/render/sh.py has them; sh: 16 coefficients of three colours.
__device__ void colour_of(const float *sh, float x, float y, float z, int degree, float *rgb) {
  float basis[16];
  int terms = 1;
  basis[0] = 0.28209479177387814f;
  if (degree > 0) {
    terms = 4;
    basis[1] = -0.4886025119029199f * y;
    basis[2] = 0.4886025119029199f * z;
    basis[3] = -0.4886025119029199f * x;
  }
  float xx = x * x, yy = y * y, zz = z * z;
  if (degree > 1) {
    terms = 9;
    basis[4] = 1.0925484305920792f * x * y;
    basis[5] = -1.0925484305920792f * y * z;
    basis[6] = 0.31539156525252005f * (2.f * zz - xx - yy);
    basis[7] = -1.0925484305920792f * x * z;
    basis[8] = 0.5462742152960396f * (xx - yy);
  }
  if (degree > 2) {
    terms = 16;
    basis[9] = -0.5900435899266435f * y * (3.f * xx - yy);
    basis[10] = 2.890611442640554f * x * y * z;
    basis[11] = -0.4570457994644658f * y * (4.f * zz - xx - yy);
    basis[12] = 0.3731763325901154f * z * (2.f * zz - 3.f * xx - 3.f * yy);
    basis[13] = -0.4570457994644658f * x * (4.f * zz - xx - yy);
    basis[14] = 1.445305721320277f * z * (xx - yy);
    basis[15] = -0.5900435899266435f * x * (xx - 3.f * yy);
  }
  for (int channel = 0; channel < 3; channel++) {
    float sum = 0.5f;
    for (int k = 0; k < terms; k++) sum += basis[k] * sh[3 * k + channel];
    rgb[channel] = sum;
  }
}

// The greatest power that an ellipse has in a range of pixels, which are distances to its centre:
// it is on an edge that faces the centre, or 0 if the centre is inside.
__device__ float greatest_power(const Ellipse &e, float x0, float x1, float y0, float y1) {
  bool beside = x0 > 0.f || x1 < 0.f, above = y0 > 0.f || y1 < 0.f;
  if (!beside && !above) return 0.f;
  float greatest = -3.4e38f;
  if (beside) {
    float dx = x0 > 0.f ? x0 : x1, dy = fminf(fmaxf(-e.b * dx / e.c, y0), y1);
    greatest = -0.5f * (e.a * dx * dx + e.c * dy * dy) - e.b * dx * dy;
  }
  if (above) {
    float dy = y0 > 0.f ? y0 : y1, dx = fminf(fmaxf(-e.b * dy / e.a, x0), x1);
    greatest = fmaxf(greatest, -0.5f * (e.a * dx * dx + e.c * dy * dy) - e.b * dx * dy);
  }
  return greatest;
}

// means, quats, scales, opacities, sh: (count or frames * count, 3 | 4 | 3 | 1 | 48). raw: scales
// are logarithms, opacities logits, quats of any length. touched: tiles; 0 if it is not drawn.
// masks: a bit for each tile of the rectangle, row by row, if it has at most 64; else all bits.
extern "C" __global__ void project(
    int frames, int count, const float *means, const float *quats, const float *scales,
    const float *opacities, const float *sh, int shared, int raw, int degree, const float *views,
    int columns, int rows, Ellipse *ellipses, int *touched, ushort4 *rects,
    unsigned *depths, unsigned long long *masks) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (long long)frames * count) return;
  touched[i] = 0;
  long long frame = i / count, n = i - frame * count;
  const float *view = views + VIEW * frame;
  const float *mean = means + 3 * (shared & 1 ? n : i);
  const float *quat = quats + 4 * (shared & 2 ? n : i);
  const float *size = scales + 3 * (shared & 4 ? n : i);
  float opacity = opacities[shared & 8 ? n : i];
  sh += 48 * (shared & 16 ? n : i);

  float mx = mean[0], my = mean[1], mz = mean[2];
  float x = view[0] * mx + view[1] * my + view[2] * mz + view[3];
  float y = view[4] * mx + view[5] * my + view[6] * mz + view[7];
  float z = view[8] * mx + view[9] * my + view[10] * mz + view[11];
  if (raw) opacity = 1.f / (1.f + expf(-opacity));
  opacity = view[23] == 1.f ? opacity : fminf(fmaxf(opacity * view[23], 0.f), 1.f);
  if (!(z > NEAR) || !(opacity >= MIN_ALPHA)) return;

  float qw = quat[0], qx = quat[1], qy = quat[2], qz = quat[3];
  float s0 = size[0], s1 = size[1], s2 = size[2];
  if (raw) {
    float norm = 1.f / fmaxf(sqrtf(qw * qw + qx * qx + qy * qy + qz * qz), 1e-12f);
    qw *= norm, qx *= norm, qy *= norm, qz *= norm;
    s0 = expf(s0), s1 = expf(s1), s2 = expf(s2);
  }
  float r00 = 1.f - 2.f * (qy * qy + qz * qz), r01 = 2.f * (qx * qy - qw * qz);
  float r02 = 2.f * (qx * qz + qw * qy), r10 = 2.f * (qx * qy + qw * qz);
  float r11 = 1.f - 2.f * (qx * qx + qz * qz), r12 = 2.f * (qy * qz - qw * qx);
  float r20 = 2.f * (qx * qz - qw * qy), r21 = 2.f * (qy * qz + qw * qx);
  float r22 = 1.f - 2.f * (qx * qx + qy * qy);

  // Rows of the Jacobian times the camera's rotation, then times the Gaussian's axes.
  float fx = view[12], fy = view[13], inverse = 1.f / z;
  float slope_x = fminf(fmaxf(x * inverse, view[19]), view[20]);
  float slope_y = fminf(fmaxf(y * inverse, view[21]), view[22]);
  float jx = fx * inverse, jxz = -fx * slope_x * inverse;
  float jy = fy * inverse, jyz = -fy * slope_y * inverse;
  float u0 = jx * view[0] + jxz * view[8], u1 = jx * view[1] + jxz * view[9];
  float u2 = jx * view[2] + jxz * view[10], v0 = jy * view[4] + jyz * view[8];
  float v1 = jy * view[5] + jyz * view[9], v2 = jy * view[6] + jyz * view[10];
  float p0 = (u0 * r00 + u1 * r10 + u2 * r20) * s0, p1 = (u0 * r01 + u1 * r11 + u2 * r21) * s1;
  float p2 = (u0 * r02 + u1 * r12 + u2 * r22) * s2, q0 = (v0 * r00 + v1 * r10 + v2 * r20) * s0;
  float q1 = (v0 * r01 + v1 * r11 + v2 * r21) * s1, q2 = (v0 * r02 + v1 * r12 + v2 * r22) * s2;
  float a = p0 * p0 + p1 * p1 + p2 * p2 + DILATION, b = p0 * q0 + p1 * q1 + p2 * q2;
  float c = q0 * q0 + q1 * q1 + q2 * q2 + DILATION, determinant = a * c - b * b;
  if (!(determinant > 0.f)) return;
  float middle = 0.5f * (a + c);
  float longest = middle + sqrtf(fmaxf(MIN_SPREAD, middle * middle - determinant));
  float radius = ceilf(3.f * sqrtf(longest));
  float depth = z + DEPTH_GUARD;
  float centre_x = fx * x / depth + view[14], centre_y = fy * y / depth + view[15];
  if (!finite(radius) || !finite(centre_x) || !finite(centre_y)) return;

  float left = centre_x - 0.5f, top = centre_y - 0.5f;  // the official rule counts from pixel 0
  int x0 = clipped((left - radius) / TILE, columns), y0 = clipped((top - radius) / TILE, rows);
  int x1 = clipped((left + radius + (TILE - 1)) / TILE, columns);
  int y1 = clipped((top + radius + (TILE - 1)) / TILE, rows);
  // Keep the tiles that can contain a pixel of MIN_ALPHA or more: along each axis an ellipse of
  // that alpha ends at sqrt(2 log(opacity / MIN_ALPHA) variance). The rest would draw nothing.
  float faintest = -logf(opacity / MIN_ALPHA) - 0.01f;  // power below which alpha is too small
  float reach_x = sqrtf(-2.f * faintest * a) + 0.01f, reach_y = sqrtf(-2.f * faintest * c) + 0.01f;
  x0 = max(x0, clipped(ceilf((left - reach_x - (TILE - 1)) / TILE), columns));
  y0 = max(y0, clipped(ceilf((top - reach_y - (TILE - 1)) / TILE), rows));
  x1 = min(x1, clipped((left + reach_x) / TILE, columns) + 1);
  y1 = min(y1, clipped((top + reach_y) / TILE, rows) + 1);
  if (x0 >= x1 || y0 >= y1) return;

  float dx = mx - view[16], dy = my - view[17], dz = mz - view[18], rgb[3];
  float away = 1.f / sqrtf(dx * dx + dy * dy + dz * dz);
  colour_of(sh, dx * away, dy * away, dz * away, degree, rgb);
  float gain = view[24], scale = 1.f / determinant;
  Ellipse ellipse = {centre_x, centre_y, c * scale, -b * scale, a * scale, opacity};
  ellipse.faintest = faintest;
  ellipse.depth = z;
  ellipse.red = positive(gain * rgb[0]);
  ellipse.green = positive(gain * rgb[1]);
  ellipse.blue = positive(gain * rgb[2]);
  // A rotated ellipse misses corners of its rectangle. The error of float32 grows with the terms
  // that cancel; a tile too many costs time, a tile too few is visible.
  int tiles = (x1 - x0) * (y1 - y0), reached = tiles;
  unsigned long long mask = ~0ULL;
  if (tiles > 1 && tiles <= 64) {
    mask = 0, reached = 0;
    float x = centre_x - 0.5f, y = centre_y - 0.5f;
    for (int k = 0; k < tiles; k++) {
      float right = x - (x0 + k % (x1 - x0)) * TILE, low = y - (y0 + k / (x1 - x0)) * TILE;
      float wide = fabsf(right) + TILE, high = fabsf(low) + TILE;
      float doubt = 1e-5f * (ellipse.a * wide * wide + ellipse.c * high * high);
      float power = greatest_power(ellipse, right - (TILE - 1), right, low - (TILE - 1), low);
      if (power + doubt < faintest) continue;
      mask |= 1ULL << k, reached++;
    }
    if (!reached) return;
  }
  ellipses[i] = ellipse;
  masks[i] = mask;
  touched[i] = reached;
  rects[i] = make_ushort4(x0, y0, x1, y1);
  depths[i] = __float_as_uint(z);  // positive floats order as their bits do
}

// ends: the running sum of `touched`, so that a Gaussian's pairs come before its end. Pairs past
// the capacity are left out; the last end shows it to the host. keys: filled with PAIR_NONE before.
extern "C" __global__ void list_pairs(
    int frames, int count, int columns, int tiles, int capacity, const long long *ends,
    const int *touched, const ushort4 *rects, const unsigned *depths,
    const unsigned long long *masks, long long *keys, int *owners) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= (long long)frames * count || touched[i] == 0) return;
  long long at = ends[i] - touched[i], first = i / count * tiles;
  ushort4 rect = rects[i];
  unsigned long long mask = masks[i];
  int bit = 0, all = mask == ~0ULL;
  for (int row = rect.y; row < rect.w; row++)
    for (int column = rect.x; column < rect.z; column++, bit++) {
      if (!all && !(mask >> bit & 1)) continue;
      if (at >= capacity) return;
      keys[at] = ((first + row * columns + column) << 32) | depths[i];
      owners[at++] = (int)i;
    }
}

// keys: sorted. order: their places before sorting. starts, ends: of every tile, 0 at first.
// listed: owners in the new order.
extern "C" __global__ void find_ranges(
    int capacity, const long long *keys, const long long *order, const int *owners, int *starts,
    int *ends, int *listed) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= capacity || keys[i] == PAIR_NONE) return;
  listed[i] = owners[order[i]];
  long long tile = keys[i] >> 32;
  if (i == 0 || (keys[i - 1] >> 32) != tile) starts[tile] = (int)i;
  if (i + 1 == capacity || (keys[i + 1] >> 32) != tile) ends[tile] = (int)i + 1;
}

__device__ inline unsigned char eight_bits(float value) {  // clipped and truncated: image.py
  return (unsigned char)(fminf(fmaxf(value, 0.f), 1.f) * 255.f);
}

// background: (height, width, 3), one for all frames (kind 1) or one each (kind 2), none (kind 0).
// pictures: four floats a pixel, premultiplied; or bytes: four, straight alpha, if `in_bytes`.
// broken: set for a frame that holds a number that is not finite. depths: (frames, height, width),
// the mean z of what is drawn, each weighted by its share; EMPTY where nothing is.
template <bool DEEP>
__device__ inline void blend_tile(
    int width, int height, int columns, int tiles, const int *starts, const int *ends,
    const int *listed, const Ellipse *ellipses, const float *background, int kind, int in_bytes,
    float4 *pictures, uchar4 *bytes, int *broken, float *depths) {
  __shared__ Ellipse held[TILE * TILE];
  int tile = blockIdx.x, frame = blockIdx.y, thread = threadIdx.x;
  int column = tile % columns * TILE + thread % TILE, row = tile / columns * TILE + thread / TILE;
  bool inside = column < width && row < height, done = !inside;
  float x = column + 0.5f, y = row + 0.5f, left = 1.f, red = 0.f, green = 0.f, blue = 0.f;
  float deep = 0.f;
  int start = starts[(long long)frame * tiles + tile], end = ends[(long long)frame * tiles + tile];
  for (int first = start; first < end; first += TILE * TILE) {
    // Also keeps a fast thread from overwriting what a slow one still reads.
    if (__syncthreads_count(done) == TILE * TILE) break;
    if (first + thread < end) held[thread] = ellipses[listed[first + thread]];
    __syncthreads();
    int most = end - first < TILE * TILE ? end - first : TILE * TILE;
    for (int k = 0; k < most && !done; k++) {
      Ellipse e = held[k];
      float dx = e.x - x, dy = e.y - y;
      float power = -0.5f * (e.a * dx * dx + e.c * dy * dy) - e.b * dx * dy;
      if (power > 0.f || power < e.faintest) continue;  // the latter spares an exp, nothing else
      float alpha = fminf(MAX_ALPHA, e.opacity * expf(power));
      if (alpha < MIN_ALPHA) continue;
      float after = left * (1.f - alpha);
      if (after < MIN_TRANSMITTANCE) {
        done = true;
      } else {
        float weight = alpha * left;
        red += weight * e.red, green += weight * e.green, blue += weight * e.blue;
        if (DEEP) deep += weight * e.depth;
        left = after;
      }
    }
  }
  if (!inside) return;
  long long pixel = (long long)row * width + column;
  long long place = (long long)frame * width * height + pixel;
  float cover = 1.f - left;
  if (DEEP) depths[place] = cover > 0.f ? deep / cover : EMPTY;
  if (kind) {
    const float *behind = background + 3 * (kind == 2 ? place : pixel);
    red += left * behind[0], green += left * behind[1], blue += left * behind[2];
    cover = 1.f;
  }
  if (!finite(red) || !finite(green) || !finite(blue) || !finite(cover)) broken[frame] = 1;
  if (in_bytes) {
    if (cover > 0.f && cover != 1.f) red /= cover, green /= cover, blue /= cover;
    bytes[place] = make_uchar4(
        eight_bits(red), eight_bits(green), eight_bits(blue), eight_bits(cover));
  } else {
    pictures[place] = make_float4(red, green, blue, cover);
  }
}

extern "C" __global__ void __launch_bounds__(TILE * TILE) blend(
    int width, int height, int columns, int tiles, const int *starts, const int *ends,
    const int *listed, const Ellipse *ellipses, const float *background, int kind, int in_bytes,
    float4 *pictures, uchar4 *bytes, int *broken) {
  blend_tile<false>(width, height, columns, tiles, starts, ends, listed, ellipses, background, kind,
                    in_bytes, pictures, bytes, broken, 0);
}

extern "C" __global__ void __launch_bounds__(TILE * TILE) blend_deep(
    int width, int height, int columns, int tiles, const int *starts, const int *ends,
    const int *listed, const Ellipse *ellipses, const float *background, int kind, int in_bytes,
    float4 *pictures, uchar4 *bytes, int *broken, float *depths) {
  blend_tile<true>(width, height, columns, tiles, starts, ends, listed, ellipses, background, kind,
                   in_bytes, pictures, bytes, broken, depths);
}
