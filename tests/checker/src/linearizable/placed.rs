//! The set of calls that the search has taken out.

use std::iter::once;

const WORD_BITS: usize = 64;

/// A set of calls, with a short key.
///
/// Calls are numbered by the time of the call. Those that return are taken out nearly in that order, so all before some
/// number are in the set and all after another are not: the key is that number and the words in between. Calls that never return
/// may stay out to the end, and are kept apart so that they do not hold the window open.
#[derive(Debug)]
pub struct Placed {
    numbers: Vec<Number>,
    unending: Vec<u64>,
    ending: Vec<u64>,
    /// Every word before this one is full.
    base: usize,
    /// Every word from this one on is empty.
    top: usize,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Ending(usize),
    Unending(usize),
}

impl Placed {
    /// Empty, for calls as (call, return).
    pub fn new(spans: &[(u64, u64)]) -> Self {
        let mut by_call: Vec<usize> = (0..spans.len()).collect();
        by_call.sort_by_key(|&call| spans[call].0);
        let mut numbers = vec![Number::Ending(0); spans.len()];
        let (mut ending, mut unending) = (0, 0);
        for call in by_call {
            if spans[call].1 == u64::MAX {
                numbers[call] = Number::Unending(unending);
                unending += 1;
            } else {
                numbers[call] = Number::Ending(ending);
                ending += 1;
            }
        }
        Self {
            numbers,
            unending: vec![0; unending.div_ceil(WORD_BITS)],
            ending: vec![0; ending.div_ceil(WORD_BITS)],
            base: 0,
            top: 0,
        }
    }

    /// Adds a call that is not in the set.
    pub fn insert(&mut self, call: usize) {
        match self.numbers[call] {
            Number::Unending(number) => {
                self.unending[number / WORD_BITS] |= 1 << (number % WORD_BITS);
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
            Number::Unending(number) => {
                self.unending[number / WORD_BITS] &= !(1 << (number % WORD_BITS));
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

    /// The same for equal sets, another for others.
    pub fn key(&self) -> Box<[u64]> {
        let window = &self.ending[self.base..self.top.max(self.base)];
        once(self.base as u64)
            .chain(self.unending.iter().copied())
            .chain(window.iter().copied())
            .collect()
    }
}
