//! Calls and returns in order of time, as a linked list.
//!
//! The search removes calls from the list and puts them back.

use super::span::Span;

/// An entry of the list.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    /// The beginning of the call with this number.
    Call(usize),
    /// The return of the call with this number.
    Return(usize),
}

/// A linked list of calls and returns in order of time. A place is an index of `entries`.
#[derive(Debug)]
pub struct Entries {
    entries: Vec<Entry>,
    /// For each place, the next place in the list. The last element of this vector belongs to the
    /// head of the list, which precedes the first entry and follows the last entry.
    next: Vec<usize>,
    before: Vec<usize>,
    /// The places of each call and of its return.
    places: Vec<(usize, usize)>,
}

impl Entries {
    /// Creates the list of all calls. Entries with the same time are sorted: calls first, returns
    /// of required calls second, returns of optional calls last. A required call can therefore
    /// still use an optional call that returns at the same time.
    pub(super) fn new(spans: &[Span]) -> Self {
        let mut by_time: Vec<(u64, bool, bool, usize)> = Vec::with_capacity(spans.len() * 2);
        for (call, span) in spans.iter().enumerate() {
            by_time.push((span.call_ns, false, false, call));
            by_time.push((span.return_ns, true, span.is_optional, call));
        }
        by_time.sort_unstable();
        let mut entries = Vec::with_capacity(by_time.len());
        let mut places = vec![(0, 0); spans.len()];
        for (place, &(_, is_return, _, call)) in by_time.iter().enumerate() {
            if is_return {
                places[call].1 = place;
                entries.push(Entry::Return(call));
            } else {
                places[call].0 = place;
                entries.push(Entry::Call(call));
            }
        }
        let head = entries.len();
        Self {
            entries,
            next: (1..=head).chain([0]).collect(),
            before: [head].into_iter().chain(0..head).collect(),
            places,
        }
    }

    /// Returns the entry at a place.
    pub fn at(&self, place: usize) -> Entry {
        self.entries[place]
    }

    /// Returns the first place.
    pub fn first(&self) -> Option<usize> {
        self.after(self.entries.len())
    }

    /// Returns the place after the given one.
    pub fn after(&self, place: usize) -> Option<usize> {
        Some(self.next[place]).filter(|next| *next < self.entries.len())
    }

    /// Returns the place after that of a call.
    pub fn after_call(&self, call: usize) -> Option<usize> {
        self.after(self.places[call].0)
    }

    /// Returns the place of the first return.
    pub fn first_return(&self) -> Option<usize> {
        let mut place = self.first()?;
        while let Entry::Call(_) = self.entries[place] {
            place = self.after(place)?;
        }
        Some(place)
    }

    /// Whether a call begins before the entry at a place.
    pub fn is_called_before(&self, call: usize, place: usize) -> bool {
        self.places[call].0 < place
    }

    /// Removes a call and its return from the list.
    pub fn take_out(&mut self, call: usize) {
        let (at, end) = self.places[call];
        for place in [at, end] {
            let (before, next) = (self.before[place], self.next[place]);
            self.next[before] = next;
            self.before[next] = before;
        }
    }

    /// Puts back the call that was removed last.
    pub fn put_back(&mut self, call: usize) {
        let (at, end) = self.places[call];
        for place in [end, at] {
            let (before, next) = (self.before[place], self.next[place]);
            self.next[before] = place;
            self.before[next] = place;
        }
    }

    /// Returns up to `at_most` of the calls before the first return. One of the calls before the
    /// first return must be next in the order.
    pub fn candidates(&self, at_most: usize) -> Vec<usize> {
        let mut calls = Vec::new();
        let mut place = self.first();
        while let Some(Entry::Call(call)) = place.map(|place| self.at(place)) {
            if calls.len() == at_most {
                break;
            }
            calls.push(call);
            place = place.and_then(|place| self.after(place));
        }
        calls
    }
}
