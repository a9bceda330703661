/* Forward kinematics in the operations and the order of `quat_rotate` and `quat_multiply`: the results have the same
   bits as numpy's. Compile with -ffp-contract=off. */

#include <stdint.h>

/* World positions (frames, joints, 3) and rotations (frames, joints, 4), which hold the local ones before. A parent
   stands before its children. */
void to_world(const int64_t *parents, int64_t frames, int64_t joints, double *positions, double *rotations)
{
    for (int64_t t = 0; t < frames; t++, positions += 3 * joints, rotations += 4 * joints)
        for (int64_t j = 1; j < joints; j++) {
            const double *a = rotations + 4 * parents[j], *place = positions + 3 * parents[j];
            double *b = rotations + 4 * j, *v = positions + 3 * j;
            double aw = a[0], ax = a[1], ay = a[2], az = a[3], bw = b[0], bx = b[1], by = b[2], bz = b[3];
            double vx = v[0], vy = v[1], vz = v[2];
            double tx = 2 * (ay * vz - az * vy), ty = 2 * (az * vx - ax * vz), tz = 2 * (ax * vy - ay * vx);
            v[0] = vx + aw * tx + ay * tz - az * ty + place[0];
            v[1] = vy + aw * ty + az * tx - ax * tz + place[1];
            v[2] = vz + aw * tz + ax * ty - ay * tx + place[2];
            b[0] = aw * bw - ax * bx - ay * by - az * bz;
            b[1] = aw * bx + ax * bw + ay * bz - az * by;
            b[2] = aw * by - ax * bz + ay * bw + az * bx;
            b[3] = aw * bz + ax * by - ay * bx + az * bw;
        }
}
