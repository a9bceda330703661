/* Legs that are turned so that their ankles move: the loop of `move_feet` in the operations and the order of numpy. Only
   the exponential is that of the C library, which may differ from numpy's in the last bit. Compile with
   -ffp-contract=off. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#define TINY 1e-9
#define WIDTH 0.02 /* metres of a knee's bend, as in `knee_direction` */

typedef struct {
    double x, y, z;
} vector;

typedef struct {
    double w, x, y, z;
} quat;

static vector from(const double *v) { return (vector){v[0], v[1], v[2]}; }
static vector plus(vector a, vector b) { return (vector){a.x + b.x, a.y + b.y, a.z + b.z}; }
static vector minus(vector a, vector b) { return (vector){a.x - b.x, a.y - b.y, a.z - b.z}; }
static vector times(double s, vector a) { return (vector){s * a.x, s * a.y, s * a.z}; }
static double dot(vector a, vector b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static double length(vector a) { return sqrt(dot(a, a)); }

static vector cross(vector a, vector b)
{
    return (vector){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static vector unit(vector v, vector otherwise)
{
    double size = length(v), by = size > TINY ? size : TINY;
    return size > TINY ? (vector){v.x / by, v.y / by, v.z / by} : otherwise;
}

static vector least_axis(vector v)
{
    double x = fabs(v.x), y = fabs(v.y), z = fabs(v.z);
    return x <= y && x <= z ? (vector){1, 0, 0} : y <= z ? (vector){0, 1, 0} : (vector){0, 0, 1};
}

static vector without(vector v, vector along) { return minus(v, times(dot(v, along), along)); }

static vector across_leg(vector along, vector direction)
{
    vector axis = least_axis(along);
    return unit(without(direction, along), unit(without(axis, along), axis));
}

static const vector DOWN = {0, -1, 0};

static void knee_offset(double thigh, double shin, double distance, double *along, double *across)
{
    double safe = distance > TINY ? distance : TINY;
    double area = (thigh + shin + distance) * (thigh + shin - distance);
    area = area * (distance + thigh - shin) * (distance - thigh + shin);
    int folded = distance <= TINY;
    *across = folded ? thigh : sqrt(area > 0 ? area : 0) / (2 * safe);
    *along = folded ? 0 : (distance + (thigh - shin) * (thigh + shin) / safe) / 2;
}

static quat between(vector a, vector b)
{
    double lengths = length(a) * length(b), cosine = dot(a, b);
    vector axis = cross(a, b);
    quat q = {lengths + cosine, axis.x, axis.y, axis.z};
    if (lengths > 0 && lengths + cosine < 1e-12 * lengths) {
        axis = cross(a, least_axis(a));
        q = (quat){0, axis.x, axis.y, axis.z};
    }
    double norm = sqrt(q.w * q.w + q.x * q.x + q.y * q.y + q.z * q.z);
    return norm > 0 ? (quat){q.w / norm, q.x / norm, q.y / norm, q.z / norm} : (quat){1, 0, 0, 0};
}

static quat product(quat a, quat b)
{
    return (quat){a.w * b.w - a.x * b.x - a.y * b.y - a.z * b.z, a.w * b.x + a.x * b.w + a.y * b.z - a.z * b.y,
                  a.w * b.y - a.x * b.z + a.y * b.w + a.z * b.x, a.w * b.z + a.x * b.y - a.y * b.x + a.z * b.w};
}

static quat local(quat parent, quat q) { return product((quat){parent.w, -parent.x, -parent.y, -parent.z}, q); }

/* The direction of a knee for an ankle at `reach` from the hip, as `kept_knee`. */
static vector kept_knee(vector thigh, vector line, double thigh_length, double shin_length, double reach, vector ahead)
{
    vector along = unit(line, DOWN), bend = without(thigh, along);
    double more, unused;
    knee_offset(thigh_length, shin_length, reach, &unused, &more);
    more -= length(bend);
    vector own = without(thigh, unit(along, DOWN)), straight = across_leg(along, ahead);
    double height = length(own), part = height / WIDTH;
    vector direction = across_leg(along, plus(own, times(WIDTH * exp(-(part * part)), straight)));
    return plus(bend, times(more > 0 ? more : 0, direction));
}

/* Turns legs (legs, 6: hip, knee, ankle and the parent of each) in frames with a shift (frames, legs, 3) or a sink
   (frames). `places` and `turns` are world positions and rotations (frames, joints, 3 and 4), `ahead` (frames, legs, 3)
   the directions of straight knees; `rotations` are the local ones, which are changed. */
void turn_legs(int64_t frames, int64_t joints, int64_t legs, const int64_t *of_legs, const double *places,
               const double *turns, const double *shifts, const double *sink, const double *ahead, double *rotations)
{
    for (int64_t t = 0; t < frames; t++, places += 3 * joints, turns += 4 * joints, rotations += 4 * joints)
        for (int64_t leg = 0; leg < legs; leg++) {
            const int64_t *of = of_legs + 6 * leg;
            vector shift = from(shifts + 3 * (t * legs + leg));
            if (shift.x == 0 && shift.y == 0 && shift.z == 0 && !(sink[t] > 0))
                continue;
            vector hip = from(places + 3 * of[0]), knee = from(places + 3 * of[1]), ankle = from(places + 3 * of[2]);
            vector new_hip = {hip.x, hip.y - sink[t], hip.z}, wanted = plus(ankle, shift);
            vector upper = minus(knee, hip), lower = minus(ankle, knee), reach = minus(wanted, new_hip);
            double thigh = length(upper), shin = length(lower), distance = length(reach), down, across;
            vector bend = kept_knee(upper, minus(ankle, hip), thigh, shin, distance, from(ahead + 3 * (t * legs + leg)));
            vector along = unit(reach, DOWN);
            double reached = distance < thigh + shin ? distance : thigh + shin;
            reached = reached > fabs(thigh - shin) ? reached : fabs(thigh - shin);
            knee_offset(thigh, shin, reached, &down, &across);
            vector new_knee = plus(plus(new_hip, times(down, along)), times(across, across_leg(along, bend)));
            vector new_ankle = plus(new_hip, times(reached, along));
            quat swing = between(upper, minus(new_knee, new_hip)), fold = between(lower, minus(new_ankle, new_knee));
            quat turn[6];
            for (int i = 0; i < 6; i++)
                memcpy(turn + i, turns + 4 * of[i], sizeof *turn);
            quat made[3] = {local(turn[3], product(swing, turn[0])),
                            local(product(swing, turn[4]), product(fold, turn[1])),
                            local(product(fold, turn[5]), turn[2])};
            for (int i = 0; i < 3; i++)
                memcpy(rotations + 4 * of[i], made + i, sizeof *made);
        }
}
