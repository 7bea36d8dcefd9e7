//! The derivation of a private key on the curve P-256 as the JDK generates one, and its public key.
//!
//! ring computes no public key of a given private one, but it refuses a pair that does not fit. An
//! error here therefore cannot make a wrong key.

use super::p256_field::{Modulus, U256, bit, from_bytes, to_bytes};
use super::sha1_prng::Sha1Prng;

/// The prime of the field (FIPS 186-5, SP 800-186).
const PRIME: Modulus = Modulus([
    0xffff_ffff_ffff_ffff,
    0x0000_0000_ffff_ffff,
    0x0000_0000_0000_0000,
    0xffff_ffff_0000_0001,
]);

/// The number of points of the curve.
const ORDER: Modulus = Modulus([
    0xf3b9_cac2_fc63_2551,
    0xbce6_faad_a717_9e84,
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_0000_0000,
]);

/// The coordinates of the generator.
const GENERATOR: (U256, U256) = (
    [
        0xf4a1_3945_d898_c296,
        0x7703_7d81_2deb_33a0,
        0xf8bc_e6e5_63a4_40f2,
        0x6b17_d1f2_e12c_4247,
    ],
    [
        0xcbb6_4068_37bf_51f5,
        0x2bce_3357_6b31_5ece,
        0x8ee7_eb4a_7c0f_9e16,
        0x4fe3_42e2_fe1a_7f9b,
    ],
);

/// Number of blocks of random bytes that the JDK takes for a key: 8 bytes more than the order has,
/// in little endian.
const BLOCKS: usize = 2;

/// A point in Jacobian coordinates: `x / z²` and `y / z³`.
struct JacobianPoint {
    x: U256,
    y: U256,
    z: U256,
}

/// Returns the private key that the JDK generates with a seeded `SHA1PRNG`.
pub(super) fn java_private_key(seed: &[u8]) -> [u8; 32] {
    let mut random = Sha1Prng::new(seed);
    let bytes = [(); BLOCKS].map(|()| random.next_block());
    to_bytes(ORDER.reduce(bytes.as_flattened()))
}

/// Returns the public key of a private key, as a point that is not compressed. Returns `None` for
/// zero.
pub(super) fn p256_public_key(private_key: &[u8; 32]) -> Option<[u8; 65]> {
    let scalar = from_bytes(private_key);
    let mut sum: Option<JacobianPoint> = None;
    for index in (0..256).rev() {
        sum = sum.map(JacobianPoint::doubled);
        if bit(&scalar, index) {
            sum = Some(sum.map_or_else(JacobianPoint::generator, JacobianPoint::plus_generator));
        }
    }
    let JacobianPoint { x, y, z } = sum?;
    let inverse = PRIME.invert(z);
    let square = PRIME.square(inverse);
    let cube = PRIME.multiply(square, inverse);
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&to_bytes(PRIME.multiply(x, square)));
    point[33..].copy_from_slice(&to_bytes(PRIME.multiply(y, cube)));
    Some(point)
}

impl JacobianPoint {
    fn generator() -> JacobianPoint {
        JacobianPoint {
            x: GENERATOR.0,
            y: GENERATOR.1,
            z: [1, 0, 0, 0],
        }
    }

    /// Returns twice the point, with the formulas for curves whose second coefficient is -3
    /// (<https://hyperelliptic.org/EFD/g1p/auto-shortw-jacobian-3.html>, dbl-2001-b).
    fn doubled(self) -> JacobianPoint {
        let JacobianPoint { x, y, z } = self;
        let delta = PRIME.square(z);
        let gamma = PRIME.square(y);
        let beta = PRIME.multiply(x, gamma);
        let product = PRIME.multiply(PRIME.subtract(x, delta), PRIME.add(x, delta));
        let alpha = PRIME.add(PRIME.add(product, product), product);
        let times_2 = |number| PRIME.add(number, number);
        let beta_4 = times_2(times_2(beta));
        let doubled_x = PRIME.subtract(PRIME.square(alpha), times_2(beta_4));
        let sum = PRIME.square(PRIME.add(y, z));
        let gamma_8 = times_2(times_2(times_2(PRIME.square(gamma))));
        let rest = PRIME.multiply(alpha, PRIME.subtract(beta_4, doubled_x));
        JacobianPoint {
            x: doubled_x,
            y: PRIME.subtract(rest, gamma_8),
            z: PRIME.subtract(PRIME.subtract(sum, gamma), delta),
        }
    }

    /// Returns the sum of the point and the generator, which must differ.
    fn plus_generator(self) -> JacobianPoint {
        let JacobianPoint { x, y, z } = self;
        let square = PRIME.square(z);
        let cube = PRIME.multiply(square, z);
        let width = PRIME.subtract(PRIME.multiply(GENERATOR.0, square), x);
        let height = PRIME.subtract(PRIME.multiply(GENERATOR.1, cube), y);
        let width_square = PRIME.square(width);
        let width_cube = PRIME.multiply(width_square, width);
        let middle = PRIME.multiply(x, width_square);
        let sum_x = PRIME.subtract(PRIME.square(height), width_cube);
        let sum_x = PRIME.subtract(sum_x, PRIME.add(middle, middle));
        let rest = PRIME.multiply(height, PRIME.subtract(middle, sum_x));
        JacobianPoint {
            x: sum_x,
            y: PRIME.subtract(rest, PRIME.multiply(y, width_cube)),
            z: PRIME.multiply(z, width),
        }
    }
}
