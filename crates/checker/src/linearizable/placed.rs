//! The set of calls that the search has removed.

use super::span::Span;
use std::iter::once;

const WORD_BITS: usize = 64;

/// A set of calls, with a short key.
///
/// Required calls that return are numbered in the order of their call times. The search removes
/// them nearly in this order. The set therefore contains all calls below some number, and no call
/// from some higher number on. The key consists of the lower number and a window: the bits between
/// the two numbers.
///
/// Optional calls, and calls that never return, may stay out of the set for a long time. Their bits
/// are stored separately (`apart`, also a part of the key), so that they do not widen the window.
#[derive(Debug)]
pub struct Placed {
    numbers: Vec<Number>,
    apart: Vec<u64>,
    ending: Vec<u64>,
    /// Every word of `ending` before this index is full: its calls are all in the set.
    base: usize,
    /// Every word of `ending` from this index on is empty: none of its calls is in the set.
    top: usize,
}

/// The number of a call among the calls of its kind. It is also the position of the call's bit in
/// `ending` or `apart`.
#[derive(Debug, Clone, Copy)]
enum Number {
    Ending(usize),
    Apart(usize),
}

impl Placed {
    /// Creates an empty set for these calls.
    pub(super) fn new(spans: &[Span]) -> Self {
        let mut by_call: Vec<usize> = (0..spans.len()).collect();
        by_call.sort_by_key(|&call| spans[call].call_ns);
        let mut numbers = vec![Number::Ending(0); spans.len()];
        let (mut ending, mut apart) = (0, 0);
        for call in by_call {
            if spans[call].is_optional || spans[call].return_ns == u64::MAX {
                numbers[call] = Number::Apart(apart);
                apart += 1;
            } else {
                numbers[call] = Number::Ending(ending);
                ending += 1;
            }
        }
        Self {
            numbers,
            apart: vec![0; apart.div_ceil(WORD_BITS)],
            ending: vec![0; ending.div_ceil(WORD_BITS)],
            base: 0,
            top: 0,
        }
    }

    /// Whether a call is in the set.
    pub fn contains(&self, call: usize) -> bool {
        let (words, number) = match self.numbers[call] {
            Number::Apart(number) => (&self.apart, number),
            Number::Ending(number) => (&self.ending, number),
        };
        words[number / WORD_BITS] >> (number % WORD_BITS) & 1 == 1
    }

    /// Adds a call that is not in the set.
    pub fn insert(&mut self, call: usize) {
        match self.numbers[call] {
            Number::Apart(number) => {
                self.apart[number / WORD_BITS] |= 1 << (number % WORD_BITS);
            }
            Number::Ending(number) => {
                let word = number / WORD_BITS;
                self.ending[word] |= 1 << (number % WORD_BITS);
                self.top = self.top.max(word + 1);
                while self.ending.get(self.base) == Some(&u64::MAX) {
                    self.base += 1;
                }
            }
        }
    }

    /// Removes a call that is in the set.
    pub fn remove(&mut self, call: usize) {
        match self.numbers[call] {
            Number::Apart(number) => {
                self.apart[number / WORD_BITS] &= !(1 << (number % WORD_BITS));
            }
            Number::Ending(number) => {
                let word = number / WORD_BITS;
                self.ending[word] &= !(1 << (number % WORD_BITS));
                self.base = self.base.min(word);
                while self.top > 0 && self.ending[self.top - 1] == 0 {
                    self.top -= 1;
                }
            }
        }
    }

    /// Returns a key that is equal for equal sets, and different for different ones.
    pub fn key(&self) -> Box<[u64]> {
        let window = &self.ending[self.base..self.top.max(self.base)];
        once(self.base as u64)
            .chain(self.apart.iter().copied())
            .chain(window.iter().copied())
            .collect()
    }
}
