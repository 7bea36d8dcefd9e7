//! Arithmetic with numbers of 256 bits.
//!
//! It is simple and slow. Its time depends on the numbers, which does not matter for a key that is
//! derived once, at the start.

/// A number of 256 bits, as four digits from the lowest to the highest.
pub(super) type U256 = [u64; 4];

/// Reads a number in big endian.
pub(super) fn from_bytes(bytes: &[u8; 32]) -> U256 {
    let mut number = [0; 4];
    for (digit, chunk) in number.iter_mut().rev().zip(bytes.chunks_exact(8)) {
        *digit = chunk
            .iter()
            .fold(0, |digit, byte| (digit << 8) | u64::from(*byte));
    }
    number
}

/// Writes a number in big endian.
pub(super) fn to_bytes(number: U256) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (digit, chunk) in number.iter().rev().zip(bytes.chunks_exact_mut(8)) {
        chunk.copy_from_slice(&digit.to_be_bytes());
    }
    bytes
}

/// Returns a bit of a number, from the lowest.
pub(super) fn bit(number: &U256, index: usize) -> bool {
    (number[index / 64] >> (index % 64)) & 1 == 1
}

/// The arithmetic modulo a number, whose highest bit is one. All operands are below it.
pub(super) struct Modulus(pub(super) U256);

impl Modulus {
    pub(super) fn add(&self, left: U256, right: U256) -> U256 {
        let (sum, carry) = add(left, right);
        let (reduced, borrow) = subtract(sum, self.0);
        match carry || !borrow {
            true => reduced,
            false => sum,
        }
    }

    pub(super) fn subtract(&self, left: U256, right: U256) -> U256 {
        let (difference, borrow) = subtract(left, right);
        match borrow {
            true => add(difference, self.0).0,
            false => difference,
        }
    }

    pub(super) fn multiply(&self, left: U256, right: U256) -> U256 {
        (0..256).rev().fold([0; 4], |product, index| {
            let doubled = self.add(product, product);
            match bit(&right, index) {
                true => self.add(doubled, left),
                false => doubled,
            }
        })
    }

    pub(super) fn square(&self, number: U256) -> U256 {
        self.multiply(number, number)
    }

    /// Returns the inverse modulo a prime, by Fermat's little theorem.
    pub(super) fn invert(&self, number: U256) -> U256 {
        let (exponent, _) = subtract(self.0, [2, 0, 0, 0]);
        (0..256).rev().fold([1, 0, 0, 0], |power, index| {
            let squared = self.square(power);
            match bit(&exponent, index) {
                true => self.multiply(squared, number),
                false => squared,
            }
        })
    }

    /// Reduces a number of any length in little endian.
    pub(super) fn reduce(&self, bytes: &[u8]) -> U256 {
        bytes.iter().rev().fold([0; 4], |reduced, byte| {
            (0..8).rev().fold(reduced, |reduced, index| {
                let doubled = self.add(reduced, reduced);
                self.add(doubled, [u64::from((byte >> index) & 1), 0, 0, 0])
            })
        })
    }
}

fn add(left: U256, right: U256) -> (U256, bool) {
    let (mut sum, mut carry) = ([0; 4], false);
    for (index, digit) in sum.iter_mut().enumerate() {
        let (partial, first) = left[index].overflowing_add(right[index]);
        let (whole, second) = partial.overflowing_add(u64::from(carry));
        (*digit, carry) = (whole, first || second);
    }
    (sum, carry)
}

fn subtract(left: U256, right: U256) -> (U256, bool) {
    let (mut difference, mut borrow) = ([0; 4], false);
    for (index, digit) in difference.iter_mut().enumerate() {
        let (partial, first) = left[index].overflowing_sub(right[index]);
        let (whole, second) = partial.overflowing_sub(u64::from(borrow));
        (*digit, borrow) = (whole, first || second);
    }
    (difference, borrow)
}
