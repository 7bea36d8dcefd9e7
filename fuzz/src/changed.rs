//! Deterministic mutations of inputs.

use quorate_checker::random::Random;

/// A generator of mutated inputs of a corpus, determined by its seed.
pub struct Changer(Random);

/// Maximum growth of an input by one mutation.
const GROWTH_BYTES_MAX: usize = 64;

impl Changer {
    /// Creates a generator; the same seed produces the same inputs.
    pub fn new(seed: u64) -> Changer {
        Changer(Random::new(seed))
    }

    /// Returns an input of `corpus` with one to four mutations.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut input, corpus);
        }
        input
    }

    /// Applies one mutation to an input.
    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let end = (at + self.below(GROWTH_BYTES_MAX)).min(input.len());
        match self.below(6) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.below(256) as u8,
            2 => input.truncate(at),
            3 => drop(input.drain(at..end)),
            4 => {
                let copied = input[at..end].to_vec();
                input.splice(at..at, copied);
            }
            _ => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                let to = (from + self.below(GROWTH_BYTES_MAX)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }
}
