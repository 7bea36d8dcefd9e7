//! Calls and returns in order of time, as a linked list that calls are taken out of and put back into.

use super::span::Span;

/// What is at a place of the list.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    /// This call was made.
    Call(usize),
    /// It returned.
    Return(usize),
}

#[derive(Debug)]
pub struct Entries {
    entries: Vec<Entry>,
    /// Places of the list; the last is the head, and comes after the last entry too.
    next: Vec<usize>,
    before: Vec<usize>,
    /// Where each call and its return are.
    places: Vec<(usize, usize)>,
}

impl Entries {
    /// Of all calls. At one time calls come before returns, and those of optional calls last: what they are good for is over.
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

    /// What is at a place.
    pub fn at(&self, place: usize) -> Entry {
        self.entries[place]
    }

    /// The first place.
    pub fn first(&self) -> Option<usize> {
        self.after(self.entries.len())
    }

    /// The place after one.
    pub fn after(&self, place: usize) -> Option<usize> {
        Some(self.next[place]).filter(|next| *next < self.entries.len())
    }

    /// The place after a call's.
    pub fn after_call(&self, call: usize) -> Option<usize> {
        self.after(self.places[call].0)
    }

    /// The place of the first return.
    pub fn first_return(&self) -> Option<usize> {
        let mut place = self.first()?;
        while let Entry::Call(_) = self.entries[place] {
            place = self.after(place)?;
        }
        Some(place)
    }

    /// Whether a call was made before what is at a place.
    pub fn is_called_before(&self, call: usize, place: usize) -> bool {
        self.places[call].0 < place
    }

    /// Takes a call and its return out.
    pub fn take_out(&mut self, call: usize) {
        let (at, end) = self.places[call];
        for place in [at, end] {
            let (before, next) = (self.before[place], self.next[place]);
            self.next[before] = next;
            self.before[next] = before;
        }
    }

    /// Puts back what was taken out last.
    pub fn put_back(&mut self, call: usize) {
        let (at, end) = self.places[call];
        for place in [end, at] {
            let (before, next) = (self.before[place], self.next[place]);
            self.next[before] = place;
            self.before[next] = place;
        }
    }

    /// The calls before the first return, of which one must be next.
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
