"""The sources of the shaders. Names in capitals are defined in shaders.py.

Distances on the screen are in pixels, y down, the centre of the first pixel at (0.5, 0.5).
"""

from __future__ import annotations

SPLAT_VERTEX = """
vec3 sh_row(ivec2 place, int k)
{
  /* Coefficient k is floats 3k to 3k + 2 of the splat's texels. */
  int f = 3 * k;
  vec4 a = texelFetch(sh, place + ivec2(f / 4, 0), 0);
  int r = f % 4;
  if (r == 0) {
    return a.xyz;
  }
  if (r == 1) {
    return a.yzw;
  }
  vec4 b = texelFetch(sh, place + ivec2(f / 4 + 1, 0), 0);
  return (r == 2) ? vec3(a.z, a.w, b.x) : vec3(a.w, b.x, b.y);
}

vec3 sh_colour(ivec2 place, vec3 d, int degree)
{
  float x = d.x;
  float y = d.y;
  float z = d.z;
  vec3 sum = vec3(0.5) + SH_C0 * sh_row(place, 0);
  if (degree >= 1) {
    sum += -SH_C1 * y * sh_row(place, 1) + SH_C1 * z * sh_row(place, 2) -
           SH_C1 * x * sh_row(place, 3);
  }
  if (degree >= 2) {
    sum += SH_C20 * x * y * sh_row(place, 4) - SH_C20 * y * z * sh_row(place, 5) +
           SH_C21 * (2.0 * z * z - x * x - y * y) * sh_row(place, 6) -
           SH_C20 * x * z * sh_row(place, 7) +
           SH_C22 * (x * x - y * y) * sh_row(place, 8);
  }
  if (degree >= 3) {
    float xx = x * x;
    float yy = y * y;
    float zz = z * z;
    sum += -SH_C30 * y * (3.0 * xx - yy) * sh_row(place, 9) +
           SH_C31 * x * y * z * sh_row(place, 10) -
           SH_C32 * y * (4.0 * zz - xx - yy) * sh_row(place, 11) +
           SH_C33 * z * (2.0 * zz - 3.0 * xx - 3.0 * yy) * sh_row(place, 12) -
           SH_C32 * x * (4.0 * zz - xx - yy) * sh_row(place, 13) +
           0.5 * SH_C31 * z * (xx - yy) * sh_row(place, 14) -
           SH_C30 * x * (xx - 3.0 * yy) * sh_row(place, 15);
  }
  return max(sum, vec3(0.0));
}

vec3 heat_colour(float heat)
{
  float h = clamp(heat, 0.0, 1.0);
  vec3 low = mix(vec3(0.10, 0.15, 0.50), vec3(0.10, 0.75, 0.70), min(2.0 * h, 1.0));
  return mix(low, vec3(0.95, 0.20, 0.05), max(2.0 * h - 1.0, 0.0));
}

void main()
{
  /* Where nothing is to be seen, a quad without area behind the camera. */
  gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
  splat_local = vec2(0.0);
  splat_colour = vec4(0.0);
  splat_depth = vec2(0.0);

  int index = int(texelFetch(order, ivec2(gl_InstanceID % ORDER_WIDTH,
                                          gl_InstanceID / ORDER_WIDTH), 0).x + 0.5);
  int head = 0;
  int count = int(region.w + 0.5);
  for (int i = 1; i < count; i++) {
    if (int(texelFetch(heads, ivec2(4, i), 0).x + 0.5) <= index) {
      head = i;
    }
  }
  vec4 row_x = texelFetch(heads, ivec2(0, head), 0);
  vec4 row_y = texelFetch(heads, ivec2(1, head), 0);
  vec4 row_z = texelFetch(heads, ivec2(2, head), 0);
  vec4 eye_scale = texelFetch(heads, ivec2(3, head), 0);
  vec4 settings = texelFetch(heads, ivec2(4, head), 0);
  int mode = int(settings.z + 0.5);
  bool orthographic = region.z > 0.5;

  ivec2 cell = ivec2(index % PER_ROW, index / PER_ROW);
  ivec2 place = ivec2(cell.x * SHAPE_TEXELS, cell.y);
  vec4 mean_opacity = texelFetch(shapes, place, 0);
  vec4 mean = vec4(mean_opacity.xyz, 1.0);
  vec3 seen = vec3(dot(row_x, mean), dot(row_y, mean), dot(row_z, mean));
  float opacity = mean_opacity.w;
  if (!(orthographic || seen.z > NEAR) || !(opacity >= MIN_ALPHA)) {
    return;
  }
  vec4 q = texelFetch(shapes, place + ivec2(1, 0), 0);
  vec4 scale_motion = texelFetch(shapes, place + ivec2(2, 0), 0);

  float depth = seen.z * eye_scale.w;
  float over_z = orthographic ? eye_scale.w : 1.0 / seen.z;
  vec2 centre = lens.xy * seen.xy * over_z + lens.zw;

  vec2 axis_u = vec2(1.0, 0.0);
  vec2 axis_v = vec2(0.0, 1.0);
  if (mode == POINTS) {
    opacity = 1.0;
    axis_u *= depths.z;
    axis_v *= depths.z;
  }
  else {
    /* Columns of rotation times scale, then of the covariance's root on the screen. */
    float w = q.x;
    float x = q.y;
    float y = q.z;
    float z = q.w;
    vec3 a = scale_motion.x * vec3(1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z),
                                   2.0 * (x * z - w * y));
    vec3 b = scale_motion.y * vec3(2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z),
                                   2.0 * (y * z + w * x));
    vec3 c = scale_motion.z * vec3(2.0 * (x * z + w * y), 2.0 * (y * z - w * x),
                                   1.0 - 2.0 * (x * x + y * y));
    vec2 slope = orthographic ? vec2(0.0) :
                                vec2(clamp(seen.x * over_z, limits.x, limits.y),
                                     clamp(seen.y * over_z, limits.z, limits.w));
    vec3 to_x = lens.x * over_z * (row_x.xyz - slope.x * row_z.xyz);
    vec3 to_y = lens.y * over_z * (row_y.xyz - slope.y * row_z.xyz);
    vec3 u = vec3(dot(to_x, a), dot(to_x, b), dot(to_x, c));
    vec3 v = vec3(dot(to_y, a), dot(to_y, b), dot(to_y, c));
    float xx = dot(u, u) + DILATION;
    float xy = dot(u, v);
    float yy = dot(v, v) + DILATION;

    /* The quad is the box around the ellipse on which alpha falls to its smallest value. */
    float middle = 0.5 * (xx + yy);
    float spread = length(vec2(0.5 * (xx - yy), xy));
    float longest = middle + spread;
    float shortest = max(middle - spread, DILATION);
    vec2 along = (xx > yy) ? vec2(0.5 * (xx - yy) + spread, xy) :
                             vec2(xy, 0.5 * (yy - xx) + spread);
    along = (dot(along, along) > 0.0) ? normalize(along) : vec2(1.0, 0.0);
    float reach = sqrt(max(2.0 * log(opacity / MIN_ALPHA), 0.0)) + 0.01;
    axis_u = along * sqrt(longest) * reach;
    axis_v = vec2(-along.y, along.x) * sqrt(shortest) * reach;
    splat_local = corner * reach;
  }

  vec2 pixel = centre + corner.x * axis_u + corner.y * axis_v;
  if (mode == POINTS) {
    splat_local = corner;
  }
  vec2 ndc = vec2(2.0 * pixel.x / region.x - 1.0, 1.0 - 2.0 * pixel.y / region.y);
  gl_Position = vec4(ndc, 0.0, 1.0);

  vec3 rgb;
  if (mode == MOTION) {
    rgb = heat_colour(scale_motion.w / settings.w);
  }
  else {
    vec3 direction = orthographic ? eye_scale.xyz : normalize(mean.xyz - eye_scale.xyz);
    ivec2 start = ivec2(cell.x * SH_TEXELS, cell.y);
    rgb = sh_colour(start, direction, int(settings.y + 0.5));
  }
  splat_colour = vec4(rgb, opacity);
  splat_depth = vec2((depth - depths.x) * depths.y, (mode == POINTS) ? 1.0 : 0.0);
}
"""

SPLAT_FRAGMENT = """
void main()
{
  float squared = dot(splat_local, splat_local);
  float alpha;
  if (splat_depth.y > 0.5) {
    alpha = (squared <= 1.0) ? 1.0 : 0.0;
  }
  else {
    alpha = min(MAX_ALPHA, splat_colour.a * exp(-0.5 * squared));
  }
  if (!(alpha >= MIN_ALPHA)) {
    discard;
  }
  out_colour = vec4(splat_colour.rgb * alpha, alpha);
  out_depth = vec4(splat_depth.x * alpha, 0.0, 0.0, alpha);
}
"""

SHOW_VERTEX = """
void main()
{
  gl_Position = vec4(corner, 0.0, 1.0);
}
"""

SHOW_FRAGMENT = """
void main()
{
  ivec2 pixel = ivec2(gl_FragCoord.xy);
  vec4 premultiplied = texelFetch(colour, pixel, 0);
  float alpha = min(premultiplied.a, 1.0);
  if (alpha < MIN_ALPHA) {
    discard;
  }
  vec3 straight = clamp(premultiplied.rgb / premultiplied.a, 0.0, 1.0);
  out_colour = vec4(pow(straight, vec3(DISPLAY_GAMMA)) * alpha, alpha);

  /* The mean depth of what is seen, on the scale of the scene's depth buffer. */
  float mean = texelFetch(depth, pixel, 0).x / premultiplied.a;
  float z = -(depths.x + mean * depths.y);
  float ndc = (planes.x * z + planes.y) / (planes.z * z + planes.w);
  gl_FragDepth = clamp(0.5 * ndc + 0.5, 0.0, 1.0);
}
"""
